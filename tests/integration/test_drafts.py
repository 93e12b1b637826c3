"""A draft is a file that a person may have edited, and an edit may find another one under way."""

import fcntl
import json
import os
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from onecode_server.cli import trust_document

from tests.integration.deployment import Deployment, expect
from tests.pairwise import each_value

NO_DRAFTS: dict[str, str | bytes] = {
    "empty": "",
    "no text": b"\xff",
    "without end": "[" * 100_000,
    "null": "null",
    "a list": "[]",
    "a string": '"version"',
    "empty object": "{}",
    "no regions": '{"version": 2}',
    "regions in an object": '{"version": 2, "regions": {}}',
    "a version that is none": '{"version": "2", "regions": []}',
    "a version without end": '{"version": 1e999, "regions": []}',
    "a lone surrogate": '{"version": 2, "regions": [{"code": "\\ud800"}]}',
}
EDITS = {
    "sign": ("sign",),
    "add-region": ("add-region", "--code", "990000", "--name", "X", "--adopts-national"),
    "revoke-key": ("revoke-key", "--region", "420000", "--kid", "k"),
}


@pytest.fixture
def draft(deployment: Deployment) -> Path:
    return deployment.path / "trust-list.draft.json"


@pytest.mark.parametrize(("name", "edit"), each_value(NO_DRAFTS, EDITS))
def test_a_draft_that_is_none_is_one_line(deployment: Deployment, draft: Path, name: str, edit: str):
    before, content = deployment.list_file.read_bytes(), NO_DRAFTS[name]
    draft.write_bytes(content if isinstance(content, bytes) else content.encode())
    ended = deployment.trust(*EDITS[edit])
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == f"onecode: {draft} is not a draft of a trust list\n"
    assert deployment.list_file.read_bytes() == before


def changed(deployment: Deployment, **members: Any) -> str:
    """Return the list as a draft in which the first region after the national authority has these members."""
    document = json.loads(expect(deployment.trust("show", "--json")))
    document["version"] += 1
    document["regions"][1] |= members
    return json.dumps(document)


def test_a_draft_that_would_lose_a_region_is_not_signed(deployment: Deployment, draft: Path):
    before = deployment.list_file.read_bytes()
    draft.write_text(changed(deployment, levels={"GREEN": "GREEN", "YELLOW": "YELOW"}))
    ended = deployment.trust("sign")
    assert (ended.status, ended.out) == (2, "")
    assert "110000: a level word does not map to GREEN, YELLOW or RED" in ended.err
    assert deployment.list_file.read_bytes() == before


def test_keys_that_are_no_list_are_one_line(deployment: Deployment, draft: Path):
    draft.write_text(changed(deployment, keys=3))
    for edit in (("add-key", "--public-key", "00" * 32), ("revoke-key",)):
        ended = deployment.trust(*edit, "--region", "110000", "--kid", "aa")
        assert (ended.status, ended.err) == (2, "onecode: the keys of region 110000 are not a list\n")


def test_a_draft_is_written_whole_or_not_at_all(deployment: Deployment, draft: Path):
    (deployment.path / "root.key").unlink()
    draft.mkdir()
    ended = deployment.trust(*EDITS["add-region"])
    assert (ended.status, ended.err) == (2, f"onecode: cannot read {draft}: Is a directory\n")
    assert not list(deployment.path.glob(".trust-list*"))


def test_a_list_that_is_no_list_is_named(deployment: Deployment):
    deployment.list_file.write_bytes(b"\xff")
    for edit in EDITS.values():
        assert deployment.trust(*edit).err == f"onecode: {deployment.list_file}: the trust list is not a compact JWS\n"


def test_an_edit_does_not_wait_for_ever_for_another(deployment: Deployment):
    handle = os.open(deployment.path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with mock.patch.object(trust_document, "EDIT_WAIT_S", 0.1):
            ended = deployment.trust("sign")
    finally:
        os.close(handle)
    assert ended.status == 2
    assert ended.err == f"onecode: another edit of the trust list in {deployment.path} has not ended\n"
    assert "version 2 signed" in expect(deployment.trust("sign"))
