"""An authority for the tests of TLS."""

from pathlib import Path

import pytest

from onecode_server.cli.development_ca import DevelopmentCa

from tests.unit.client.echoing import Files


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> DevelopmentCa:
    return DevelopmentCa.make(tmp_path_factory.mktemp("authority"), "onecode.internal")


@pytest.fixture
def files(authority: DevelopmentCa, tmp_path: Path) -> Files:
    return Files(authority, tmp_path, "partner/first")
