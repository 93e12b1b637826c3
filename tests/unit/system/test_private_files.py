"""Private files: a file is its owner's, or root's and a group's of the process that reads it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from onecode_server.system.private_files import is_private

SERVICE, GROUP, OTHERS = 10001, 20001, 30001


def found(mode: int, owner: int, group: int) -> os.stat_result:
    return os.stat_result((stat.S_IFREG | mode, 1, 1, 1, owner, group, 32, 0, 0, 0))


@pytest.fixture(params=["the group", "a further group"])
def service(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of a service's user: GROUP is its group, or one of its further ones."""
    is_own = request.param == "the group"
    monkeypatch.setattr(os, "geteuid", lambda: SERVICE)
    monkeypatch.setattr(os, "getegid", lambda: GROUP if is_own else SERVICE)
    monkeypatch.setattr(os, "getgroups", lambda: [SERVICE] if is_own else [SERVICE, GROUP])


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize(
    ("mode", "owner", "group", "expected"),
    [
        (0o600, SERVICE, SERVICE, True),
        (0o400, SERVICE, OTHERS, True),
        (0o640, SERVICE, GROUP, False),
        (0o440, OTHERS, GROUP, False),
        (0o440, 0, GROUP, True),
        (0o640, 0, GROUP, True),
        (0o440, 0, OTHERS, False),
        (0o440, 0, 0, False),
        (0o660, 0, GROUP, False),
        (0o650, 0, GROUP, False),
        (0o444, 0, GROUP, False),
        (0o442, 0, GROUP, False),
        (0o441, 0, GROUP, False),
    ],
)
def test_a_group_may_read_what_root_gives_to_it_and_nothing_else(
    mode: int, owner: int, group: int, expected: bool
) -> None:
    assert is_private(found(mode, owner, group)) == expected


@pytest.mark.parametrize("mode", [0o640, 0o440])
def test_a_process_of_roots_needs_no_group(monkeypatch: pytest.MonkeyPatch, mode: int) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert not is_private(found(mode, 0, os.getegid()))


@pytest.fixture
def file_of_root(tmp_path: Path) -> Iterator[int]:
    """A file as Kubernetes makes it, which is open in a process of another user."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    path = tmp_path / "tls.key"
    path.write_bytes(b"secret")
    os.chown(path, 0, GROUP)
    path.chmod(0o440)
    handle = os.open(path, os.O_RDONLY)
    group = os.getegid()
    os.setegid(GROUP)
    os.seteuid(SERVICE)
    yield handle
    os.seteuid(0)
    os.setegid(group)
    os.close(handle)


def test_a_mounted_secret_is_private_to_the_user_of_its_group(file_of_root: int) -> None:
    assert is_private(os.fstat(file_of_root))
    os.seteuid(0)
    os.fchmod(file_of_root, 0o444)
    os.seteuid(SERVICE)
    assert not is_private(os.fstat(file_of_root))
