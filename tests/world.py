"""A small country for tests: real keys, a real signed trust list, a real store, and a clock that tests can set."""

import functools
import json
import math
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from onecode_server.codes import claims
from onecode_server.codes.codec import CODECS
from onecode_server.codes.national import codec as national
from onecode_server.composition import open_store
from onecode_server.crypto import SignatureBackend, open_backend
from onecode_server.crypto.signing import Signer
from onecode_server.engine import Engine
from onecode_server.model.code import Scan, Scans
from onecode_server.model.recognition_exception import RecognitionException
from onecode_server.model.scanned import all_bare
from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.model.subject import pseudonym
from onecode_server.model.trust_list import Format, Role
from onecode_server.model.verdict import Verdict
from onecode_server.settings.config import Settings
from onecode_server.settings.data_directory import DataDirectory
from onecode_server.stores.protocol import DecideException, ExceptionChange
from onecode_server.telemetry.metrics import Metrics
from onecode_server.translation.translator import Translation
from onecode_server.trust import document as trust_list
from onecode_server.trust.region_entry import key_id_bytes
from onecode_server.verification.check import Check, CheckResults

from tests import formats

SECOND = 1_000_000
HOUR = 3600 * SECOND
NOON = 1_800_000_000 * SECOND

_NATIONAL = {"subject": -65537, "level": -65538, "issued_at": 6, "expiry": 4}
_LEVELS = {"GREEN": "GREEN", "YELLOW": "YELLOW", "RED": "RED"}
REGIONS: dict[str, dict[str, Any]] = {
    "000000": {"format": "national", "claims": _NATIONAL, "levels": _LEVELS},
    "110000": {
        "format": "national",
        "claims": {"subject": 2, "level": [-70001, "l"], "issued_at": 6, "valid_for_s": 86_400},
        "levels": {"0": "GREEN", "1": "YELLOW", "2": "RED"},
    },
    "420000": {
        "format": "jwt",
        "claims": {"subject": ["who", "id"], "level": "color", "issued_at": "iat", "expiry": "exp"},
        "levels": {"绿": "GREEN", "green": "GREEN", "黄": "YELLOW", "红": "RED"},
    },
    "430000": {
        "format": "jwt",
        "claims": {"subject": "sub", "level": "ok", "issued_at": "iat", "expiry": "exp", "code_age_max_s": 7200},
        "levels": {"true": "GREEN", "false": "RED"},
    },
    "440000": {
        "format": "paseto",
        "claims": {"subject": "sub", "level": "mzt", "issued_at": "iat", "expiry": "exp"},
        "levels": _LEVELS,
    },
    "310000": {"format": "opaque", "prefix": "SH-"},
    "540000": {"adopts_national": True},
    "630000": {"adopts_national": True},
}
WORDS = {
    region: {Level[v]: k for k, v in reversed(entry.get("levels", _LEVELS).items())}
    for region, entry in REGIONS.items()
}


def filed(report: RecognitionException) -> DecideException:
    """Return a step that files a report as it is, without asking whether it may be."""
    return lambda _: ExceptionChange(report, "exception filed by a test", report.reported_at)


@functools.cache
def _open_backend_once() -> SignatureBackend:
    """Return the backend that worlds share: its tables and self-test take longer than all else of a world."""
    return open_backend()


def _write_secret(file: Path, secret: bytes) -> None:
    file.touch(mode=0o600)
    file.write_text(secret.hex())


class World:
    """One deployment: an engine on the data directory ``path``. Change ``document`` and call ``publish_list`` for a new
    trust list."""

    follows_log = False
    """Whether the engine takes its store for a machine's copy of a log."""

    def __init__(self, path: Path, backend: SignatureBackend | None = None, **settings: Any) -> None:
        """Make the files of the data directory and an engine on them. ``settings`` are those that differ from the
        defaults and from a world's own: however late it is, nobody looks at the list unless a test does."""
        self.now = NOON
        self.monotonic_s = 0.0
        self.path = path
        self.settings = Settings(path, **{"trust_list_grace_s": 3600.0, "trust_list_unread_max_s": math.inf} | settings)
        self.backend = backend or _open_backend_once()
        self.data = DataDirectory(path)
        self.data.keys.mkdir()
        self.file = self.data.trust_list
        self.root = Signer(secrets.token_bytes(32))
        self.data.root_public_key.write_text(self.root.public_key.hex())
        self.pseudonym_key = secrets.token_bytes(32)
        _write_secret(self.data.pseudonym_key, self.pseudonym_key)
        self.signers: dict[tuple[str, str], Signer] = {}
        self.document: dict[str, Any] = {"version": 0, "regions": [self._entry(code) for code in REGIONS]}
        self.sign_list()
        self._open()

    def _open(self) -> None:
        self.metrics = Metrics()
        self.store = open_store(self.settings, self.metrics, lambda: self.now)
        self.engine = engine = Engine(
            self.settings,
            store=self.store,
            backend=self.backend,
            metrics=self.metrics,
            clock=lambda: self.now,
            monotonic=lambda: self.monotonic_s,
            follows_log=self.follows_log,
        )
        self.trust, self.issuers = engine.trust, engine.issuers
        self.statuses, self.change_feed = engine.statuses, engine.change_feed
        self.verifier, self.batcher, self.translator = engine.verifier, engine.batcher, engine.translator
        self.gateway_keys, self.publisher = engine.gateway_keys, engine.publisher
        self.exceptions, self.exception_service = engine.exceptions, engine.exception_service

    async def start(self) -> None:
        """Have the trust list taken and the exceptions read."""
        await self.trust.refresh()
        await self.exceptions.refresh()

    async def restart(self) -> None:
        """Close the store, and open it and all parts anew on the same directory, as another process would."""
        await self.store.close()
        self._open()
        await self.start()

    def key_entry(self, region: str, kid: str, **more: Any) -> dict[str, Any]:
        """Make a key and return its entry; ``signers`` keeps it under (region, kid), and a gateway key has a file."""
        secret, fmt = secrets.token_bytes(32), more.get("format", REGIONS[region].get("format"))
        signer = self.signers[region, kid] = Signer(secret)
        if more.get("role") == Role.GATEWAY:
            _write_secret(self.data.key_file(region, Role.GATEWAY, Format(more["format"]), kid.encode()), secret)
        carried = kid.encode().hex() if fmt == "national" else kid
        return {"kid": carried, "public_key": signer.public_key.hex(), **more}

    def _entry(self, code: str) -> dict[str, Any]:
        entry = {"code": code, "name": f"Region {code}", **REGIONS[code]}
        if entry.get("format") in (*CODECS,):
            entry["keys"] = [self.key_entry(code, "k1")]
        if code == "000000":
            entry["keys"] += [self.key_entry(code, f"gateway-{fmt}", role="gateway", format=fmt) for fmt in CODECS]
        return entry

    def entry(self, code: str) -> dict[str, Any]:
        """Return a region's entry of the document, to be changed."""
        return next(entry for entry in self.document["regions"] if entry["code"] == code)

    def sign_list(self, **changes: Any) -> None:
        """Write the next version of the trust list."""
        self.document["version"] += 1
        times = {"issued_at": self.now / SECOND, "next_update": (self.now + 24 * HOUR) / SECOND}
        new = self.file.with_suffix(".new")
        new.write_bytes(trust_list.put_together({**self.document, **times, **changes}, self.root.sign))
        new.replace(self.file)  # two writes in place, in one tick of the file system's clock, would leave one stamp

    async def publish_list(self, **changes: Any) -> None:
        """Write the next version of the trust list and have it read."""
        self.sign_list(**changes)
        await self.trust.refresh()

    def tree(
        self, region: str, level: Level | str = Level.GREEN, subject: str = "id-1", **times: int
    ) -> dict[Any, Any]:
        """Return the claims of a code, in the region's own terms; an adopter's are the national authority's."""
        issuer_region = "000000" if REGIONS[region].get("adopts_national") else region
        fmt = Format(self.entry(issuer_region)["format"])
        where = trust_list.parse(
            json.dumps({**self.document, "issued_at": 1, "next_update": 2}).encode(), lambda _: None
        )
        issued_at = times.get("issued_at", self.now - HOUR)
        word = level if isinstance(level, str) else WORDS[issuer_region][level]
        named: str | bytes = subject
        if issuer_region == "000000":  # nobody else's codes carry pseudonyms
            named = pseudonym(self.pseudonym_key, region, subject)
        expires_at = times.get("expires_at", self.now + 24 * HOUR)
        tree = claims.write(claims.of(where.regions[issuer_region]), fmt, named, word, issued_at, expires_at)
        issuer = claims.of(where.regions[issuer_region]).issuer
        tree |= {} if issuer is None else {CODECS[fmt].ISSUER: issuer}
        return tree | ({national.REGION: region} if issuer_region != region else {})

    def mint(self, region: str, tree: dict[Any, Any], kid: str = "k1") -> bytes:
        """Return the code over ``tree``, signed by a region's key."""
        issuer_region = "000000" if REGIONS[region].get("adopts_national") else region
        fmt = Format(self.entry(issuer_region)["format"])
        carried = kid.encode().hex() if fmt == formats.NATIONAL else kid
        return CODECS[fmt].mint(tree, key_id_bytes(carried, fmt), self.signers[issuer_region, kid].sign)

    def code(self, region: str, level: Level | str = Level.GREEN, subject: str = "id-1", **times: int) -> bytes:
        """Return a code of a region."""
        return self.mint(region, self.tree(region, level, subject, **times))

    async def token(self, level: Level = Level.GREEN, region: str = "310000", **times: int | None) -> bytes:
        """Return an opaque code that its region has published."""
        code = b"SH-" + secrets.token_urlsafe(16).encode()
        expires_at = times.get("expires_at", self.now + HOUR)
        record = StatusRecord(region, Scope.NATIONAL, level, times.get("issued_at") or self.now, expires_at, 1)
        assert await self.publisher.publish([(Scan(code, ""), record)]) == [None]
        return code

    async def check_all(
        self, codes: Sequence[bytes], host: str = "420000", *, for_translation: bool = False
    ) -> CheckResults:
        """Return the results of a batch whose codes are checked one by one, with all checks."""
        await self.change_feed.follow()
        context = self.verifier._context(for_translation=for_translation)
        scans = Scans.at(host, all_bare(codes), for_translation=for_translation)
        return await self.verifier._verify_singly(scans, context)

    async def verify_all(self, codes: Sequence[bytes], host: str = "420000") -> list[Verdict]:
        """Return the verdicts of a batch, by columns where they can be had."""
        return (await self.verifier.verify(Scans.at(host, codes))).verdicts

    async def check(self, code: bytes, host: str = "420000") -> Check:
        """Return one check."""
        return (await self.check_all([code], host)).checks[0]

    async def verify(self, code: bytes, host: str = "420000") -> Verdict:
        """Return one verdict."""
        return (await self.check(code, host)).answer

    async def translate(self, code: bytes, target: str) -> Translation:
        """Return one translation."""
        outcome = await self.check_all([code], target, for_translation=True)
        return await self.translator.translate(outcome.checks[0], outcome)

    async def say(self, publisher: str, level: Level, subject: str = "id-1", **more: Any) -> None:
        """Publish a record of a subject's status, and let it be seen."""
        home = more.get("home", publisher)
        record = StatusRecord(
            publisher,
            more.get("scope", Scope.NATIONAL),
            level,
            more.get("effective_at", self.now),
            more.get("expires_at"),
            more.get("revision", 1),
        )
        named = pseudonym(self.pseudonym_key, home, subject)
        assert await self.publisher.publish([(named, record)]) == [None]
        self.monotonic_s += 6
