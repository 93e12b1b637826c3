"""``make demo``: travellers' codes from all over the country, checked and translated by a real server; then callers
with identities, over mutual TLS, and what each of them may do."""

import base64
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import cwt
import jwt
import pyseto
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.console import Console
from rich.table import Table

from onecode_client import OnecodeClient
from onecode_server.codes.encodings import base45
from onecode_server.codes.national import codec as national

from demo.credentials import Credentials
from demo.deployment import Deployment
from demo.rights import ROLES, call_with_identities

SEEN_S = 1
"""Within a second every server answers with what was published, and knows of an exception that was acknowledged."""

_COLOURS = {"ADMIT": "green", "CHECK": "yellow", "REFUSE": "red"}
_FORMATS = {"NC1:": "national", "eyJ": "jwt", "v4.": "paseto"}


class Scan(NamedTuple):
    """One scene: whose code, scanned where, what must come out, and what it shows."""

    traveller: str
    code: bytes
    host: str
    decision: str
    shows: str


class Gate:
    """Scans codes, collects rows for the table, and notes every answer that is not the expected one."""

    def __init__(self, deployment: Deployment, client: OnecodeClient) -> None:
        self._names = {entry["code"]: entry["name"] for entry in deployment.trust_list["regions"]}
        self._client = client
        self.rows: list[tuple[str, ...]] = []
        self.surprises: list[str] = []

    def scan(self, scene: Scan) -> None:
        """Check a code for a host."""
        verdict = self._client.verify(scene.code, scene.host).verdict
        decision, reason, level = (_word(verdict, field) for field in ("decision", "reason", "level"))
        if decision != scene.decision:
            self.surprises.append(f"{scene.traveller} at {scene.host}: {decision}, not {scene.decision} ({reason})")
        home = self._names.get(verdict.home_region, "nobody vouches")
        shown = f"[{_COLOURS[decision]}]{decision}[/] {'' if level == 'UNSPECIFIED' else level}"
        fmt = _FORMATS.get(scene.code[:4].decode(), _FORMATS.get(scene.code[:3].decode(), "opaque"))
        why = f"{scene.shows} ({reason})"
        self.rows.append((scene.traveller, home, fmt, self._names[scene.host], shown, why))

    def table(self) -> Table:
        """Return what was scanned so far."""
        table = Table(title="One code passes everywhere", title_justify="left", header_style="bold")
        for column in ("traveller", "home", "format", "host", "verdict", "why"):
            table.add_column(column)
        for row in self.rows:
            table.add_row(*row)
        return table


def _word(message: Any, field: str) -> str:
    enum = message.DESCRIPTOR.fields_by_name[field].enum_type
    return str(enum.values_by_number[getattr(message, field)].name).split("_", 1)[1]


def _made_by_pyjwt(deployment: Deployment, region: str, **claims: Any) -> bytes:
    """Return a code that a region made with a library of its own, not with ours."""
    kid, key = deployment.issuer_key(region)
    private = Ed25519PrivateKey.from_private_bytes(bytes(key))
    return jwt.encode(claims, private, algorithm="EdDSA", headers={"kid": kid}).encode()


def travel(deployment: Deployment, gate: Gate) -> bytes:
    """Scan everyone's code; return one that will be translated."""
    now = int(time.time())
    wang = deployment.issue("420000", "GREEN", "wang")
    li = deployment.issue("440000", "GREEN", "li")
    gate.scan(Scan("Wang", wang, "440000", "ADMIT", "a local code, read elsewhere as it is"))
    gate.scan(Scan("Li", li, "110000", "ADMIT", "another format, other words, same answer"))
    gate.scan(Scan("Zhao", deployment.issue("310000", "GREEN"), "500000", "ADMIT", "opaque: its region vouches"))
    tenzin = deployment.issue("540000", "GREEN", "tenzin")
    gate.scan(Scan("Tenzin", tenzin, "510000", "ADMIT", "an adopter's national code"))
    gate.scan(Scan("Sun", deployment.issue("350000", "YELLOW", "sun"), "330000", "CHECK", "YELLOW: a person looks"))

    lilac = {"user_no": "qian", "risk": "lilac", "made_at": now, "valid_until": now + 3600}
    gate.scan(
        Scan("Qian", _made_by_pyjwt(deployment, "210000", **lilac), "110000", "CHECK", "'lilac' is never guessed")
    )
    old = lilac | {"risk": "low", "made_at": now - 7200, "valid_until": now - 3600}
    gate.scan(Scan("Zhou", _made_by_pyjwt(deployment, "210000", **old), "110000", "REFUSE", "expired an hour ago"))
    forged = wang[:-9] + (b"A" if wang[-9:-8] != b"A" else b"B") + wang[-8:]
    gate.scan(Scan("Mallory", forged, "440000", "REFUSE", "tampered with: the signature tells"))

    deployment.publish(
        publisher="540000", subject={"code": base64.b64encode(li).decode()}, level="YELLOW", scope="LOCAL", revision=1
    )
    time.sleep(SEEN_S)
    gate.scan(Scan("Li", li, "540000", "CHECK", "Tibet, an adopter, has local information"))
    gate.scan(Scan("Li", li, "510000", "ADMIT", "which counts there and nowhere else"))

    deployment.publish(
        publisher="420000",
        subject={"local": {"region": "420000", "id": "wang"}},
        level="RED",
        scope="NATIONAL",
        revision=1,
    )
    time.sleep(SEEN_S)
    gate.scan(Scan("Wang", wang, "440000", "REFUSE", "turned RED since it was issued"))

    report = deployment.suspend("510000", "540000", "a road is closed")
    gate.scan(Scan("Tenzin", tenzin, "510000", "CHECK", "a filed report suspends, and is named"))
    deployment.withdraw(report)
    gate.scan(Scan("Tenzin", tenzin, "510000", "ADMIT", "the report was withdrawn: the road is open"))

    with deployment.without_store():
        wu = deployment.issue("370000", "GREEN", "wu")
        gate.scan(Scan("Wu", wu, "440000", "CHECK", "the status store is away: say so"))
    time.sleep(1)  # a store that failed is left alone for half a second
    return li


def translate(deployment: Deployment, client: OnecodeClient, code: bytes, console: Console) -> None:
    """Translate a code into three regions' terms, and have libraries that are not ours verify the results."""
    console.print("\n[bold]Li's PASETO code from Guangdong, in other regions' terms[/]")
    for target in ("420000", "340000", "000000"):
        made = client.translate(code, target)
        (kid, public_key), text = deployment.gateway_key(made.format), made.code.decode()
        match made.format:
            case "jwt":
                key = jwt.PyJWK(
                    {"kty": "OKP", "crv": "Ed25519", "x": base64.urlsafe_b64encode(public_key).decode().rstrip("=")}
                )
                library, claims = "pyjwt", jwt.decode(text, key, algorithms=["EdDSA"])
            case "paseto":
                paseto_key = pyseto.Key.from_asymmetric_key_params(4, x=public_key)
                library, claims = "pyseto", json.loads(pyseto.decode(paseto_key, text).payload)  # type: ignore[arg-type]
            case _:
                library, claims = "cwt", _verified_by_cwt(text, kid, public_key)
        name = deployment.entry(target)["name"]
        console.print(f"  for {name} as {made.format}, verified by {library}:", style="bold")
        console.print(f"    {claims}", soft_wrap=True, highlight=False, markup=False)


def _verified_by_cwt(text: str, kid: str, public_key: bytes) -> Any:
    data = base45.decode(text.encode().removeprefix(national.PREFIX))
    # COSE_Key (RFC 9052, section 7): an Ed25519 key pair's public half, for EdDSA.
    return cwt.decode(data, cwt.COSEKey.new({1: 1, 2: bytes.fromhex(kid), 3: -8, -1: 6, -2: public_key}))


def main() -> int:
    """Run the demonstration; status 1 where an answer was not the expected one."""
    console = Console(width=max(Console().width, 110))
    console.print("onecode: making a country of 34 regions, each with a code of its own ...")
    with tempfile.TemporaryDirectory(prefix="onecode-demo-") as directory:
        deployment = Deployment(Path(directory) / "data")
        with deployment.serving(), OnecodeClient(deployment.server) as client:
            console.print(f"serving gRPC on {deployment.server}, metrics on http://{deployment.metrics}/metrics\n")
            gate = Gate(deployment, client)
            with console.status("travellers are on their way ..."):
                code = travel(deployment, gate)
            console.print(gate.table())
            translate(deployment, client, code, console)
        console.print("\nmaking a certificate for each role ...")
        credentials = Credentials(Path(directory) / "pki", deployment.run, ROLES)
        with deployment.serving(*credentials.flags()):
            console.print(f"serving gRPC over mutual TLS on {deployment.server}")
            counter = call_with_identities(deployment, credentials)
        console.print(counter.table())
    surprises = gate.surprises + counter.surprises
    for surprise in surprises:
        console.print(f"[red]not as expected:[/] {surprise}")
    console.print("\nEvery answer was the expected one." if not surprises else "")
    return 1 if surprises else 0


if __name__ == "__main__":
    sys.exit(main())
