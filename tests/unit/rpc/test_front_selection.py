"""The front that answers: by the setting, and by what was built and works."""

import types
from collections.abc import Callable
from typing import Any

import pytest

from onecode_server.errors import Misconfigured
from onecode_server.rpc import front_selection
from onecode_server.rpc.front_selection import ABI, SelectedFront, select

Built = Callable[..., None]


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> Built:
    """Let an extension look as a test says: None is none, an exception is one that does not load."""

    def look(extension: Any, failure: str = "") -> None:
        def load(_: str) -> Any:
            if isinstance(extension, Exception):
                raise extension
            return extension

        async def test() -> str:
            return failure

        monkeypatch.setattr(front_selection, "find_spec", lambda _: extension)
        monkeypatch.setattr(front_selection, "import_module", load)
        monkeypatch.setattr(front_selection, "_self_test", test)

    return look


GOOD = types.SimpleNamespace(ABI=ABI)
UNUSABLE: dict[str, tuple[Any, str]] = {
    "not_built": (None, ""),
    "does_not_load": (ImportError("no symbol"), ""),
    "other_version": (types.SimpleNamespace(ABI=ABI + 1), ""),
    "self_test": (GOOD, "a known request was answered with other bytes"),
}


@pytest.mark.parametrize("name", ["auto", "native"])
async def test_the_native_front_answers_where_it_was_built_and_works(built: Built, name: str) -> None:
    built(GOOD)
    selected = await select(name)
    assert (selected.name, selected.reason) == ("native", "")


@pytest.mark.parametrize("reason", UNUSABLE)
async def test_auto_has_grpc_answer_where_there_is_no_native_front_that_works(built: Built, reason: str) -> None:
    built(*UNUSABLE[reason])
    selected = await select("auto")
    assert (selected.name, selected.reason) == ("grpc", reason)
    assert "\n" not in selected.detail


@pytest.mark.parametrize("reason", UNUSABLE)
async def test_a_native_front_that_was_chosen_and_does_not_work_is_a_mistake(built: Built, reason: str) -> None:
    built(*UNUSABLE[reason])
    with pytest.raises(Misconfigured, match="front 'native'"):
        await select("native")


async def test_grpc_answers_where_it_was_chosen_and_nothing_is_loaded(built: Built) -> None:
    built(ImportError("not even tried"))
    assert await select("grpc") == SelectedFront("grpc", "chosen", "the setting front chooses it")


async def test_grpc_answers_where_calls_are_traced_and_nothing_is_loaded(built: Built) -> None:
    built(ImportError("not even tried"))
    selected = await select("auto", is_traced=True)
    assert (selected.name, selected.reason) == ("grpc", "tracing")
