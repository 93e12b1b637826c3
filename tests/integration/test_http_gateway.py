"""The HTTP gateway, called by curl, on a real server: what callers get by each address."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.integration.deployment import Deployment, Server, record
from tests.integration.http_gateway import HOST, JSON, LINES, Gateway, b64, bearer, gateway, needed
from tests.integration.identities import GATEWAY, NATION, OPERATOR, Identities

pytestmark = needed


def test_each_code_of_a_batch_has_its_verdict_and_so_has_a_single_one(http: Gateway, code: bytes) -> None:
    codes = [code, b"", b"x" * 5000, b"noise"]
    many = http.ask("/v1/codes:batchVerify", {"codes": [b64(one) for one in codes], "host_region": HOST})
    assert (many.status, many.headers["content-type"]) == (200, JSON)
    reasons = [verdict["reason"] for verdict in many.json["verdicts"]]
    assert reasons == ["REASON_GREEN", "REASON_CODE_EMPTY", "REASON_CODE_TOO_LARGE", "REASON_FORMAT_UNKNOWN"]
    for one, verdict in zip(codes, many.json["verdicts"], strict=True):
        single = http.ask("/v1/codes:verify", {"code": b64(one), "host_region": HOST})
        assert single.json["verdict"] == verdict
    assert many.json["trust_list_version"] == "1"


def test_the_largest_batch_goes_through(http: Gateway) -> None:
    codes = [b64(bytes([65 + n % 26]) * 1024) for n in range(4096)]
    answer = http.ask("/v1/codes:batchVerify", {"codes": codes, "host_region": HOST})
    assert (answer.status, len(answer.json["verdicts"])) == (200, 4096)
    beyond = http.ask("/v1/codes:batchVerify", {"codes": ["eA=="] * 4097, "host_region": HOST})
    assert beyond.reason == "400 CODES_COUNT"


def test_a_translation_is_a_code_of_the_target(http: Gateway, code: bytes) -> None:
    made = http.ask("/v1/codes:translate", {"code": b64(code), "target_region": "440000"}).json
    many = http.ask("/v1/codes:batchTranslate", {"codes": [b64(code), made["code"]], "target_region": "440000"}).json
    assert [one["obstacle"].removeprefix("TRANSLATION_OBSTACLE_") for one in many["results"]] == [
        "UNSPECIFIED",
        "ALREADY_TRANSLATED",
    ]
    for text in (made["code"], many["results"][0]["translation"]["code"]):
        verdict = http.ask("/v1/codes:verify", {"code": text, "host_region": "440000"}).json["verdict"]
        assert (verdict["decision"], verdict["home_region"]) == ("DECISION_ADMIT", "110000")
    again = http.ask("/v1/codes:translate", {"code": made["code"], "target_region": "440000"})
    assert again.reason == "400 ALREADY_TRANSLATED"


def test_the_trust_list_is_that_of_the_file_and_empty_for_who_has_it(http: Gateway, shared: Deployment) -> None:
    answer = http.ask("/v1/trustList").json
    assert base64.b64decode(answer["signed_list"]) == shared.list_file.read_bytes().strip()
    assert http.ask("/v1/trustList?if_newer_than=1").json == {"version": "1", "signed_list": ""}


def test_published_records_are_found_by_their_subject(
    deployment: Deployment, serve: Callable[..., Server], tmp_path: Path
) -> None:
    server = serve(deployment)
    with gateway(tmp_path, "--server", server.address) as http:
        records = [record(HOST, "LEVEL_RED", "wang", scope="SCOPE_NATIONAL", revision=n) for n in (2, 1)]
        records.append(record("999999", "LEVEL_RED", "li", scope="SCOPE_NATIONAL"))
        body = "".join(json.dumps({"sequence": n, "record": one}) + "\n" for n, one in enumerate(records, 1))
        answer = http.ask("/v1/statuses:publish", body.encode(), kind=LINES)
        assert (answer.status, answer.headers["content-type"]) == (200, LINES)
        results = [json.loads(line)["result"] for line in answer.text.splitlines()]
        assert results[-1]["durable_through"] == "3"
        reasons = {one["sequence"]: one["reason"] for result in results for one in result["rejections"]}
        assert reasons == {"2": "REJECTION_REASON_SUPERSEDED", "3": "REJECTION_REASON_UNKNOWN_PUBLISHER"}
        found = http.ask("/v1/statuses:get", {"subject": {"local": {"region": HOST, "id": "wang"}}}).json["records"]
        assert [(one["level"], one["revision"]) for one in found] == [("LEVEL_RED", "2")]
        late = b'{"sequence":2,"record":{}}\n{"sequence":1,"record":{}}\n'
        *_, last = http.ask("/v1/statuses:publish", late, kind=LINES).text.splitlines()
        assert json.loads(last)["error"]["details"][0]["reason"] == "SEQUENCE_NOT_RISING"


def test_a_report_is_filed_acknowledged_withdrawn_and_listed_by_those_who_may(
    deployment: Deployment, serve: Callable[..., Server], tmp_path: Path
) -> None:
    identities = Identities(tmp_path / "identities")
    server = serve(deployment, *identities.flags())
    cert, key = identities.leaf(GATEWAY).write(tmp_path, "gateway")
    shown = ("--tls-ca", identities.client_ca, "--tls-cert", cert, "--tls-key", key)
    begins = datetime.now(UTC) + timedelta(hours=1)
    report = {
        "host_region": HOST,
        "home_region": "440000",
        "reason": "an outbreak",
        "effective_from": begins.isoformat(),
        "effective_until": (begins + timedelta(days=1)).isoformat(),
        "request_id": "5f0c1c1e-9b1f-4c38-a3df-2c3d1f6f0a11",
    }
    with gateway(tmp_path, "--server", server.address, *shown) as http:

        def ask(path: str, body: Any, by: str) -> Any:
            return http.ask(path, body, *bearer(identities.token(by)))

        filed = ask("/v1/exceptions", report, OPERATOR).json["exception"]
        assert ask("/v1/exceptions", report, OPERATOR).json["exception"] == filed
        assert ask("/v1/exceptions", report | {"reason": "x"}, OPERATOR).status == 409
        name = f"/v1/exceptions/{filed['id']}"
        assert ask(f"{name}:acknowledge", {}, OPERATOR).reason == "403 NOT_PERMITTED"
        done = ask(f"{name}:acknowledge", {}, NATION).json["exception"]
        assert done["acknowledged_by"] == f"{NATION} via {GATEWAY}"
        done = ask(f"{name}:withdraw", {}, OPERATOR).json["exception"]
        assert done["withdrawn_by"] == f"{OPERATOR} via {GATEWAY}"
        assert ask("/v1/exceptions/RE-0000000000000000:withdraw", {}, OPERATOR).reason == "404 EXCEPTION_UNKNOWN"
        assert ask("/v1/exceptions/%2e%2e%2Fx:withdraw", {}, OPERATOR).reason == "404 EXCEPTION_UNKNOWN"
        asked = f"/v1/exceptions?host_region={HOST}&state=EXCEPTION_STATE_WITHDRAWN&page_size=5"
        assert [one["id"] for one in ask(asked, None, OPERATOR).json["exceptions"]] == [filed["id"]]
        assert ask(f"/v1/exceptions?host_region={HOST}&state=EXCEPTION_STATE_REPORTED", None, OPERATOR).json == {
            "exceptions": [],
            "next_page_token": "",
        }
