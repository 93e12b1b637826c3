"""Gateway keys in a token: what is done while it hangs, fails, is away and is back."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping

import pytest
from nacl.signing import VerifyKey

from onecode_server.crypto.signing import MessageSigner, Signer
from onecode_server.errors import Overloaded, PreconditionFailed, SigningUnavailable
from onecode_server.system import own_thread
from onecode_server.telemetry.metrics import Metrics
from onecode_server.translation import token_gateway_keys
from onecode_server.translation.token_gateway_keys import AWAY_S, LOOK_S, TokenGatewayKeys

from tests.world import World

KEY = Signer(bytes(32))


class _Handle:
    """A key as a session has it, which is lost with the session."""

    def __init__(self, token: "Token", signer: Signer) -> None:
        self.public_key = signer.public_key
        self._token, self._signer, self._opened = token, signer, token.opened

    def sign(self, message: bytes) -> bytes:
        self._token.hangs.wait()
        if self._token.is_away or self._token.opened != self._opened:
            raise SigningUnavailable("ObjectHandleInvalid")
        return self._signer.sign(message)


class Token:
    """A token that tests take away; it notes the threads on which it is used."""

    def __init__(self) -> None:
        self.hangs = threading.Event()
        self.hangs.set()
        self.keys = [KEY]
        self.is_away = False
        self.opened = self.looks = 0
        self.threads: set[int] = set()
        self._is_open = False

    def signers(self) -> Mapping[bytes, MessageSigner]:
        self.threads.add(threading.get_ident())
        self.looks += 1
        self.hangs.wait()
        if self.is_away:
            raise SigningUnavailable("TokenNotPresent")
        if not self._is_open:
            self._is_open = True
            self.opened += 1
        return {key.public_key: _Handle(self, key) for key in self.keys}

    def close(self) -> None:
        self.threads.add(threading.get_ident())
        self._is_open = False

    def lose_session(self) -> None:
        """Have all handles be lost, as when a network module restarts."""
        self.opened += 1


class Keys:
    """The gateway keys of a token, on a clock of the test's own."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.token, self.metrics = Token(), Metrics()
        self.read = TokenGatewayKeys(self.token, self.metrics, lambda: self.now_s)

    async def look(self, after_s: float = 0.0) -> None:
        self.now_s += after_s
        await self.read.refresh()

    async def sign(self, key: Signer = KEY) -> bytes:
        signature = await self.read.sign(key.public_key, lambda sign: sign(b"message"))
        VerifyKey(key.public_key).verify(b"message", signature)
        return signature

    def faults(self) -> float | None:
        return self.metrics.registry.get_sample_value("onecode_gateway_keys_fault")


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[Keys]:
    monkeypatch.setattr(own_thread, "CLOSE_S", 0.01)
    made = Keys()
    yield made
    made.token.hangs.set()
    made.read.close()


async def refused(call: Callable[[], object]) -> str:
    with pytest.raises(SigningUnavailable) as why:
        await call()  # type: ignore[misc]
    return str(why.value)


async def test_nothing_is_signed_before_the_token_was_looked_at(keys: Keys) -> None:
    assert "not looked for yet" in await refused(keys.sign)
    assert keys.faults() == 1
    await keys.look()
    await keys.sign()
    assert keys.faults() == 0
    assert keys.read.report() == {"from": "pkcs11", "count": 1, "fault": None}


async def test_the_token_is_used_by_one_thread_which_is_not_the_loops(keys: Keys) -> None:
    await keys.look()
    await asyncio.gather(*(keys.sign() for _ in range(20)))
    await keys.look(LOOK_S)
    assert len(keys.token.threads) == 1
    assert threading.get_ident() not in keys.token.threads


async def test_a_new_key_is_there_with_the_next_look_and_looks_are_seldom(keys: Keys) -> None:
    await keys.look()
    keys.token.keys.append(new := Signer(bytes([1] * 32)))
    for _ in range(9):
        await keys.look(LOOK_S / 10)
    assert (keys.token.looks, set(keys.read.public_keys)) == (1, {KEY.public_key})
    await keys.look(LOOK_S / 5)
    assert set(keys.read.public_keys) == {KEY.public_key, new.public_key}
    await keys.sign(new)


async def test_a_session_that_was_lost_is_opened_anew_for_the_call_that_finds_it_lost(keys: Keys) -> None:
    await keys.look()
    keys.token.lose_session()
    for _ in range(3):
        await keys.sign()
    assert keys.token.looks == 2
    assert keys.read.fault is None


async def test_a_token_that_is_away_is_unavailable_without_being_asked_until_it_is_back(
    keys: Keys, caplog: pytest.LogCaptureFixture
) -> None:
    await keys.look()
    keys.token.is_away = True
    assert "TokenNotPresent" in await refused(keys.sign)
    looks = keys.token.looks
    for _ in range(100):
        assert "TokenNotPresent" in await refused(keys.sign)
    assert keys.token.looks == looks
    for _ in range(3):
        await keys.look(AWAY_S)
    assert keys.token.looks == looks + 3
    assert (keys.faults(), [record.levelname for record in caplog.records]) == (1, ["ERROR"])
    keys.token.is_away = False
    await keys.look(AWAY_S)
    await keys.sign()
    assert keys.faults() == 0


async def test_a_token_that_hangs_is_unavailable_and_is_there_again_when_it_answers(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keys.look()
    monkeypatch.setattr(token_gateway_keys, "SIGN_S", 0.01)
    monkeypatch.setattr(token_gateway_keys, "OPEN_S", 0.01)
    keys.token.hangs.clear()
    keys.now_s += 1
    assert "has not signed in time" in await refused(keys.sign)
    assert "has not signed within" in await refused(keys.sign)
    await keys.look(AWAY_S)
    assert "has not answered" in str(keys.read.fault)
    monkeypatch.undo()
    keys.token.hangs.set()
    await keys.look(AWAY_S)
    await keys.sign()


async def test_a_wait_behind_others_is_overload_and_no_fault_of_the_token(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keys.look()
    monkeypatch.setattr(token_gateway_keys, "SIGN_S", 0.01)
    keys.token.hangs.clear()
    with pytest.raises(Overloaded):  # by the test's clock it has just answered
        await keys.sign()
    assert keys.read.fault is None


async def test_more_calls_than_may_wait_are_overload(keys: Keys) -> None:
    await keys.look()
    keys.token.hangs.clear()
    waiting = [asyncio.create_task(keys.sign()) for _ in range(token_gateway_keys.WAITING_MAX + 2)]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    keys.token.hangs.set()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(one) for one in ended} == {bytes, Overloaded}
    assert sum(type(one) is bytes for one in ended) >= token_gateway_keys.WAITING_MAX


async def test_a_key_that_is_gone_from_the_token_is_unavailable(keys: Keys) -> None:
    keys.token.keys.append(gone := Signer(bytes([1] * 32)))
    await keys.look()
    keys.token.keys.remove(gone)
    await keys.look(LOOK_S)
    assert "does not have the key any more" in await refused(lambda: keys.sign(gone))


async def test_translations_are_unavailable_while_a_token_was_never_there_and_missing_where_it_has_no_key(
    world: World, keys: Keys
) -> None:
    keys.token.is_away = True
    await keys.look()
    world.translator._keys = keys.read
    with pytest.raises(SigningUnavailable):
        await world.translate(world.code("440000"), "420000")
    keys.token.is_away = False
    await keys.look(AWAY_S)
    with pytest.raises(PreconditionFailed, match="gateway key"):
        await world.translate(world.code("440000"), "420000")
    keys.token.keys.append(world.signers["000000", "gateway-jwt"])
    await keys.look(LOOK_S)
    made = await world.translate(world.code("440000"), "420000")
    assert (await world.verify(made.code, "440000")).home == "440000"
