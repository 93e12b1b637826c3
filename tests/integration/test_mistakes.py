"""What cannot work gets one clear line for each mistake on standard error, and status 2."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.deployment import Deployment, Server, called, command, free_port

JWT = {"subject": "s", "level": "l", "issued_at": "i", "expiry": "e"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files")
    contents: dict[str, Any] = {
        "claims": json.dumps(JWT),
        "levels": '{"ok": "GREEN"}',
        "broken": '{"subject":',
        "deep": "[" * 100_000,
        "a_list": "[]",
        "unmapped": '{"ok": "BLUE"}',
        "empty": "",
        "codes": "x\n",
        "private": "no hex",
        "long": "x" * 70_000,
        "wide": '{"ok": "GREEN"}' + " " * 1024 * 1024,
    }
    for name, content in contents.items():
        (path / name).write_text(content, "utf-8")
        (path / name).chmod(0o600 if name == "private" else 0o644)
    return path


def region(**other: str) -> list[str]:
    options = {"code": "990000", "name": "X", "format": "jwt", "claims": "@claims", "levels": "@levels"} | other
    return ["trust", "add-region", *(part for name, value in options.items() for part in (f"--{name}", value))]


def key(public_key: str = "00" * 32, *more: str, region: str = "420000") -> list[str]:
    return ["trust", "add-key", "--region", region, "--kid", "k", "--public-key", public_key, *more]


ON_A_DATA_DIRECTORY = {
    "issue: unknown region": (["issue", "--region", "999999", "--level", "GREEN"], "999999 is not in the trust list"),
    "issue: unknown level": (["issue", "--region", "420000", "--level", "BLUE"], "'BLUE' is not one of"),
    "issue: no codes": (["issue", "--region", "420000", "--level", "RED", "--count", "0"], "0 is not in the range"),
    "issue: for ever": (["issue", "--region", "310000", "--level", "RED", "--valid", "9" * 25], "is not in the range"),
    "issue: no text": (["issue", "--region", "420000", "--level", "RED", "--id", "\udcff"], "not UTF-8"),
    "issue: nobody": (["issue", "--region", "420000", "--level", "RED", "--id", ""], "--id is not 1 to 256 bytes"),
    "issue: an endless name": (["issue", "--region", "110000", "--level", "RED", "--id", "x" * 257], "not 1 to 256"),
    "issue: out of nowhere": (["issue", "--region", "420000", "--level", "RED", "--out", ""], "the path is empty"),
    "issue: two lines": (["issue", "--region", "42\n0000", "--level", "RED"], "region 42\\n0000 is not in"),
    "issue: no such folder": (
        ["issue", "--region", "420000", "--level", "RED", "--out", "/no/x"],
        "cannot write /no/x",
    ),
    "issue: too many pictures": (
        ["issue", "--region", "420000", "--level", "RED", "--png", "@pictures", "--count", "1001"],
        "at most 1,000 pictures, not 1,001",
    ),
    "issue: two codes, one picture": (
        ["issue", "--region", "420000", "--level", "RED", "--png", "@two.PNG", "--count", "2"],
        "is one picture: name a directory for 2",
    ),
    "issue: pictures in a file": (
        ["issue", "--region", "420000", "--level", "RED", "--png", "@codes"],
        "codes: File exists",
    ),
    "issue: a picture nowhere": (
        ["issue", "--region", "420000", "--level", "RED", "--png", "@nothing/x.png"],
        "name a picture that is not there yet",
    ),
    "region: claims missing": (region(claims="@nothing"), "nothing: No such file"),
    "region: claims no JSON": (region(claims="@broken"), "broken is not JSON"),
    "region: claims without end": (region(claims="@deep"), "deep is not JSON"),
    "region: levels without end": (region(levels="/dev/zero"), "/dev/zero is larger than 1,048,576 bytes"),
    "region: levels too long": (region(levels="@wide"), "wide is larger than 1,048,576 bytes"),
    "region: two lines": (region(name="a\nb"), "--name has characters that cannot be shown"),
    "region: claims no object": (region(claims="@a_list"), "claims is not an object"),
    "region: level without meaning": (region(levels="@unmapped"), "does not map to GREEN, YELLOW or RED"),
    "region: no six digits": (region(code="99"), "code is not six digits"),
    "region: there already": (region(code="420000"), "420000 is in the trust list already"),
    "region: unknown format": (region(format="cbor"), "'cbor' is not one of"),
    "region: no text": (region(name="\udcff"), "--name has characters that cannot be shown"),
    "region: adopter with a format": ([*region(), "--adopts-national"], "stands in place of"),
    "key: no hex": (key("zz" * 32), "public_key is not 64 hex digits"),
    "key: too short": (key("00"), "public_key is not 64 hex digits"),
    "key: small order": (key(), "not a canonical point"),
    "key: time": (key("00" * 32, "--not-before", "yesterday"), "is not"),
    "key: unknown region": (key(region="999999"), "999999 is not in the trust list"),
    "key: an issuer's with a format": (key("00" * 32, "--format", "jwt"), "--format is for gateway keys"),
    "key: a gateway's without": (key("00" * 32, "--role", "gateway", region="000000"), "--format is for gateway keys"),
    "retire: unknown key": (["trust", "retire-key", "--region", "420000", "--kid", "k"], "no key with the id k"),
    "revoke: unknown key": (["trust", "revoke-key", "--region", "420000", "--kid", "k"], "no key with the id k"),
    "sign: no key": (["trust", "sign", "--root-key", "@nothing"], "nothing: No such file"),
    "sign: not a key": (["trust", "sign", "--root-key", "@private"], "private is not hex"),
    "sign: everybody's": (["trust", "sign", "--root-key", "@claims"], "claims is open to more than its owner"),
    "sign: a key without end": (["trust", "sign", "--root-key", "/dev/zero"], "/dev/zero is not hex"),
    "audit: no hash": (["audit", "verify", "--expect", "zz"], "--expect 'zz' is not 64 hex digits"),
    "audit: an empty hash": (["audit", "verify", "--expect", ""], "--expect '' is not 64 hex digits"),
    "get: nobody": (["status", "get"], "name the subject by"),
    "get: two at once": (["status", "get", "--region", "420000", "--id", "x", "--code", "x"], "name the subject by"),
    "get: no hex": (["status", "get", "--pseudonym", "zz"], "--pseudonym is not hex"),
    "get: no text": (["status", "get", "--region", "420000", "--id", "\udcff"], "names no subject"),
    "serve: all interfaces": (["serve", "--listen", "0.0.0.0:0"], "needs --tls-cert"),
    "serve: metrics outside": (["serve", "--metrics", "192.0.2.1:0"], "needs --metrics-tls"),
    "serve: no port": (["serve", "--listen", "127.0.0.1"], "expected HOST:PORT"),
}


NO_SERVERS = [
    "nonsense",
    "",
    ":80",
    ":::80",
    "127.0.0.1:0",
    "127.0.0.1:99999",
    "127.0.0.1:" + "9" * 5000,
    "127.0.0.1:\u0663\u0663",
    "http://127.0.0.1:80",
    "127.0.0.1:80/",
    "two words:80",
    "two\nlines:80",
]


@pytest.mark.parametrize("name", ON_A_DATA_DIRECTORY)
def test_a_mistake_on_a_data_directory_is_one_line(shared: Deployment, made: Deployment, files: Path, name: str):
    arguments, why = ON_A_DATA_DIRECTORY[name]
    data = made if arguments[0] == "trust" else shared
    before = data.list_file.read_bytes()
    given = [str(files / part[1:]) if part.startswith("@") else part for part in arguments]
    ended = called(*given, "--data-dir", data.path)
    assert (ended.status, ended.out) == (2, "")
    assert why in ended.err
    assert ended.err.startswith("onecode: ")
    assert ended.err.count("\n") == 1
    assert data.list_file.read_bytes() == before


@pytest.mark.parametrize("name", ["issue --region 420000 --level RED", "trust show", "serve", "status get"])
def test_a_directory_that_init_did_not_make_is_named(tmp_path: Path, name: str):
    subject = ["--region", "420000", "--id", "x"] if name == "status get" else []
    run = command if name == "serve" else called  # which takes over the process's logs and signals
    ended = run(*name.split(), *subject, "--data-dir", tmp_path)
    assert ended.status == 2
    assert f"{tmp_path} is not a data directory" in ended.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--host", "110000"], "either a CODE or --file"),
        (["--host", "110000", "x", "--file", "@codes"], "either a CODE or --file"),
        (["--host", "110000", "--file", "@nothing"], "nothing: No such file"),
        (["--host", "110000", "--file", "@empty"], "empty has no codes"),
        (["--host", "110000", "--file", "@long"], "line 1: more than 65,536 bytes are no code"),
        (["--host", "110000", "--file", "/dev/zero"], "line 1: more than 65,536 bytes are no code"),
        (["--host", "110000", "--file", ""], "the path is empty"),
        (["--host", "11", "x"], "host_region is not six digits"),
        (["--host", "\udcff", "x"], "not UTF-8"),
        (["x"], "Missing option '--host'"),
        *((["--host", "110000", "x", "--server", server], "expected HOST:PORT") for server in NO_SERVERS),
    ],
)
def test_a_mistake_in_asking_a_server_is_one_line(server: Server, files: Path, arguments: list[str], why: str):
    given = [str(files / part[1:]) if part.startswith("@") else part for part in arguments]
    ended = called("verify", "--server", server.address, *given)
    assert (ended.status, ended.out) == (2, "")
    assert why in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    ("time", "why"),
    [
        ("yesterday", "neither RFC 3339 nor a time from now"),
        ("", "neither RFC 3339 nor a time from now"),
        ("+9999999d", "neither RFC 3339 nor a time from now"),
        ("2026-11-24T08:00:00", "has no offset"),
        ("0001-01-01T00:00:00+23:00", "outside of the years 1 to 9999"),
        ("9999-12-31T23:59:59-23:00", "outside of the years 1 to 9999"),
    ],
)
@pytest.mark.parametrize("option", ["--from", "--until"])
def test_a_time_that_cannot_be_is_one_line(server: Server, option: str, time: str, why: str):
    times = {"--from": "now", "--until": "+1h"} | {option: time}
    given = [part for pair in times.items() for part in pair]
    asked = ("--server", server.address, "--host", "110000", "--home", "420000", "--reason", "x")
    ended = called("exception", "report", *asked, *given)
    assert (ended.status, ended.out) == (2, "")
    assert why in ended.err
    assert ended.err.count("\n") == 1


def test_a_server_that_is_not_there_is_a_failure_and_no_mistake():
    ended = called("verify", "--server", f"127.0.0.1:{free_port()}", "--host", "110000", "x")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("onecode: UNAVAILABLE: ")
    assert ended.err.count("\n") == 1


def test_serve_names_every_mistake_at_once_and_where_it_was_made(tmp_path: Path):
    flags = ("--listen", "example.com:80", "--skew-s", "-1", "--workers", "two")
    file = tmp_path / "onecode.toml"
    file.write_text("drain_s = '10'\nskew_s = 5\nskew = 5\n", "utf-8")
    environment = {"ONECODE_REFLECTION": "perhaps", "ONECODE_DATA_DIR": "/nowhere", "ONECODE_CONFIG": str(file)}
    ended = command("serve", *flags, **environment)
    assert (ended.status, ended.out) == (2, "")
    begins = [
        f"{file}: 'skew' is no setting",
        "ONECODE_DATA_DIR='/nowhere': no such directory",
        "--listen 'example.com:80': expected an IP address",
        "--workers 'two': ",
        "--skew-s '-1': expected a number",
        f"{file}: drain_s: expected a number, not a string",
        "ONECODE_REFLECTION='perhaps': expected one of",
    ]
    lines = ended.err.splitlines()
    assert [line[: len(f"onecode: {begin}")] for line, begin in zip(lines, begins, strict=True)] == [
        f"onecode: {begin}" for begin in begins
    ]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("flag", ["--listen", "--metrics"])
def test_a_port_that_is_taken_is_one_line(server: Server, shared: Deployment, flag: str, workers: int):
    taken = {"--listen": server.address, "--metrics": server.page}[flag]
    given = {"--listen": "127.0.0.1:0", "--metrics": "127.0.0.1:0", "--workers": str(workers), flag: taken}
    ended = command("serve", "--data-dir", shared.path, *(part for pair in given.items() for part in pair))
    *logged, mistake = ended.err.splitlines()
    assert (ended.status, ended.out) == (2, "")
    assert taken in mistake
    assert all(json.loads(line)["level"] == "info" for line in logged)
