"""Where a command finds its server and certificates: options before variables, variables before the context."""

from pathlib import Path

import pytest

from tests.integration.deployment import called

TEXT = """
[gate-7]
server = "127.0.0.1:1"
tls_ca = "made/ca.crt"
tls_cert = "made/gate.crt"
tls_key = "made/gate.key"
token_file = "/no/token"

[other]
server = "127.0.0.1:2"

[broken]
server = 3
tls_crt = "x"
token_file = ""
"""
OTHERS = ("TLS_SERVER_NAME", "CONTEXT", "CONTEXTS")
VARIABLES = (
    "SERVER",
    "TLS_CA",
    "TLS_CLIENT_CERT",
    "TLS_CLIENT_KEY",
    "TOKEN_FILE",
    "TLS_SERVER_NAME",
    "CONTEXT",
    "CONTEXTS",
)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in VARIABLES:
        monkeypatch.delenv(f"ONECODE_{name}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "contexts.toml"
    path.write_text(TEXT)
    assert called("certs", "init", tmp_path / "made").status == 0
    return path


def failed(file: Path, *arguments: object) -> list[str]:
    """Return the lines of a command that calls no server in vain, and names what it found missing first."""
    ended = called("--contexts-file", file, *arguments)
    assert ended.status == 2
    return ended.err.splitlines()


def test_paths_of_a_context_are_relative_to_its_file(file: Path) -> None:
    assert failed(file, "--context", "gate-7", "health") == [
        f"onecode: cannot read {file.parent}/made/gate.crt: No such file or directory"
    ]


def test_an_option_counts_before_a_variable_and_a_variable_before_the_context(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONECODE_TLS_CA", "/by/variable")
    assert failed(file, "--context", "gate-7", "health") == [
        "onecode: cannot read /by/variable: No such file or directory"
    ]
    assert failed(file, "--context", "gate-7", "health", "--tls-ca", "/by/option") == [
        "onecode: cannot read /by/option: No such file or directory"
    ]
    monkeypatch.setenv("ONECODE_TLS_CA", "")
    assert f"{tmp_path}/made/gate.crt" in failed(file, "--context", "gate-7", "health")[0]


@pytest.mark.parametrize("variable", VARIABLES[:5])
def test_each_variable_is_read(file: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    values = {"SERVER": "127.0.0.1:1", "TLS_CLIENT_CERT": "/a/cert", "TLS_CLIENT_KEY": "/a/cert"} | {variable: "/a/it"}
    if variable == "TOKEN_FILE":
        values = {"SERVER": "127.0.0.1:1", "TOKEN_FILE": "/a/it"}
    for name, value in values.items():
        monkeypatch.setenv(f"ONECODE_{name}", value)
    if variable == "TLS_CLIENT_KEY":
        (certificate := file.parent / "cert").write_text("x")
        monkeypatch.setenv("ONECODE_TLS_CLIENT_CERT", str(certificate))
    (line,) = failed(file, "health")
    assert "/a/it" in line


def test_the_variables_of_a_server_are_not_those_of_a_client(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CERT", "KEY", "CLIENT_CA", "CRL"):
        monkeypatch.setenv(f"ONECODE_TLS_{name}", "/of/the/server")
    ended = called("--contexts-file", file, "--context", "other", "health")
    assert (ended.status, "UNAVAILABLE" in ended.err) == (1, True)


def test_the_context_and_its_file_may_be_named_by_variables(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONECODE_CONTEXT", "gate-7")
    monkeypatch.setenv("ONECODE_CONTEXTS", str(file))
    assert "made/gate.crt" in called("health").err


def test_the_usual_file_is_in_the_home_directory(file: Path) -> None:
    assert called("--context", "gate-7", "health").err == (
        f"onecode: cannot read the contexts file {file.parent}/.config/onecode/contexts.toml: "
        "No such file or directory\n"
    )


def test_an_unknown_context_names_those_that_there_are(file: Path) -> None:
    assert failed(file, "--context", "gate-8", "health") == [
        f"onecode: {file} has no context 'gate-8'; it has broken, gate-7, other"
    ]
    file.write_text("server = 'x'\n")
    assert failed(file, "--context", "x", "health") == [f"onecode: {file} has no context 'x'; it has none"]


def test_each_mistake_in_a_context_gets_a_line(file: Path) -> None:
    assert failed(file, "--context", "broken", "health") == [
        f"onecode: {file}: [broken] server: expected a string that is not empty",
        f"onecode: {file}: [broken] tls_crt is no key of a context; tls_cert is one",
        f"onecode: {file}: [broken] token_file: expected a string that is not empty",
    ]


def test_an_address_that_is_none_is_named_with_its_place(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('[bad]\nserver = "somewhere"\n')
    assert failed(file, "--context", "bad", "health") == [
        f"onecode: {file}: [bad] server 'somewhere': expected HOST:PORT, or unix:/PATH"
    ]
    monkeypatch.setenv("ONECODE_SERVER", "nowhere")
    assert failed(file, "health") == ["onecode: ONECODE_SERVER 'nowhere': expected HOST:PORT, or unix:/PATH"]


@pytest.mark.parametrize("command", [["verify", "--host", "420000", "x"], ["exception", "list"], ["health"]])
def test_a_command_without_a_server_says_where_it_could_come_from(file: Path, command: list[str]) -> None:
    (line,) = failed(file, *command)
    assert "--server is missing: give HOST:PORT, here, in ONECODE_SERVER or in a --context" in line


def test_a_command_on_a_data_directory_has_no_use_for_a_context(file: Path, tmp_path: Path) -> None:
    asked = ["--context", "no such", "status", "get", "--pseudonym", "00"]
    assert "has no context 'no such'" in failed(file, *asked)[0]
    assert "has no context" not in failed(file, *asked, "--data-dir", tmp_path / "none")[0]
    assert failed(file, *asked, "--data-dir", tmp_path, "--tls-ca", "x") == [
        "onecode: give either --server or --data-dir"
    ]


def test_serve_ignores_contexts(file: Path) -> None:
    assert "context" not in failed(file, "--context", "no such", "serve")[0]
