"""A real server whose settings come from a file."""

from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from onecode.v1 import recognition_pb2 as pb

from tests.integration.deployment import Deployment, Server, command

SETTINGS = """\
# A server's settings, as an operator would write them.
data_dir = "data"               # beside this file
listen = "127.0.0.1:0"
metrics = "127.0.0.1:0"
workers = 1
reflection = true
"""


@pytest.fixture
def file(deployment: Deployment) -> Path:
    settings = deployment.path.parent / "onecode.toml"
    settings.write_text(SETTINGS, "utf-8")
    return settings


def test_a_server_is_started_from_a_file_alone(deployment: Deployment, file: Path, serve: Callable[..., Server]):
    server = serve(deployment, config=file)
    assert server.verify(deployment.issue("420000")[0]).verdict.decision == pb.DECISION_ADMIT
    assert "onecode.v1.RecognitionService" in server.services()
    assert server.end() == 0


def test_a_flag_of_a_real_server_counts_before_its_file(
    deployment: Deployment, file: Path, serve: Callable[..., Server]
):
    server = serve(deployment, "--reflection", "false", config=file)
    with pytest.raises(grpc.RpcError) as refused:
        server.services()
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert server.verify(b"x").verdict.decision == pb.DECISION_REFUSE


def test_a_file_that_names_no_data_directory_is_told_as_such(file: Path):
    file.write_text(SETTINGS.replace('"data"', '"."'), "utf-8")
    ended = command("serve", "--config", file)
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == (f"onecode: {file.parent} is not a data directory: make one with 'onecode init --data-dir'\n")
