"""The settings: every one by its name, one line for each mistake, and nothing in plaintext that others reach."""

import sys
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from onecode_server.errors import Misconfigured
from onecode_server.log.address import LogAddress
from onecode_server.model.identity import Role
from onecode_server.rpc.listener import CONNECTION_AGE_S
from onecode_server.settings import cores
from onecode_server.settings.config import Settings
from onecode_server.settings.limits import DEFAULTS, Limit, Limits
from onecode_server.settings.values import Address, address
from onecode_server.status.cache import ENTRIES_MAX
from onecode_server.verification.batcher import CODES_MAX

URI = "pkcs11:token=onecode?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=/run/secrets/pin"
NAMES = {field.name for field in fields(Settings)}
FILES = {"tls_cert", "tls_key", "tls_client_ca", "tls_crl", "token_keys", "log_ca", "log_cert", "log_key"}
"""They may come later: whoever reads them says what is wrong."""
GOOD = [
    ("listen", "[::1]:0", Address("::1", 0)),
    ("metrics", "localhost:9000", Address("localhost", 9000)),
    ("tls_cert", "", None),
    ("tls_key", "", None),
    ("tls_client_ca", "", None),
    ("tls_crl", "", None),
    ("metrics_tls", "false", False),
    ("trust_domain", "health.example", "health.example"),
    ("token_keys", "/run/keys.json", Path("/run/keys.json")),
    ("token_audience", "spiffe://health.example/onecode", "spiffe://health.example/onecode"),
    ("loopback_role", "ops", "ops"),
    ("insecure_plaintext", "true", True),
    ("health_without_identity", "true", True),
    ("limits", "partner=5/2,ops=1/1", Limits({**DEFAULTS, Role.PARTNER: Limit(5, 2), Role.OPS: Limit(1, 1)})),
    ("gateway_keys", "/tmp", Path("/tmp")),
    ("gateway_keys", URI, URI),
    ("log", "kafka://127.0.0.1:9092,[::1]:9093", LogAddress(("127.0.0.1:9092", "[::1]:9093"))),
    ("log", "", None),
    ("log_ca", "", None),
    ("log_cert", "", None),
    ("log_key", "", None),
    ("log_topic_prefix", "staging.", "staging."),
    ("workers", "1", 1),
    ("workers", "64", 64),
    ("front", "native", "native"),
    ("signature_backend", "libsodium", "libsodium"),
    ("shadow_one_in", "500", 500),
    ("skew_s", "0", 0.0),
    ("skew_s", "3600", 3600.0),
    ("trust_list_grace_s", "2678400", 2_678_400.0),
    ("trust_list_unread_max_s", "0.5", 0.5),
    ("drain_s", "2.5", 2.5),
    ("connection_age_s", "300", 300.0),
    ("queue_codes_max", "4096", 4096),
    ("cache_entries_max", "10000000", 10_000_000),
    ("otel_endpoint", "http://127.0.0.1:4318", "http://127.0.0.1:4318"),
    ("otel_endpoint", "https://collector.example/otlp", "https://collector.example/otlp"),
    ("otel_endpoint", "", None),
    ("reflection", "true", True),
    ("reflection", "False", False),
    ("log_level", "debug", "debug"),
]
BAD = [
    ("data_dir", "/no/such/directory", "no such directory"),
    ("listen", "50051", "expected HOST:PORT"),
    ("metrics", "example.com:9464", "expected an IP address or localhost"),
    ("metrics_tls", "1", "expected one of true, false"),
    ("trust_domain", "Health.Example", "expected lower-case letters"),
    ("trust_domain", "", "expected lower-case letters"),
    ("token_audience", "two words", "expected up to 255 ASCII characters"),
    ("loopback_role", "scanner", "expected one of auto, none, check, ops, all"),
    ("insecure_plaintext", "yes", "expected one of true, false"),
    ("health_without_identity", "yes", "expected one of true, false"),
    ("limits", "partner=5", "expected ROLE=UNITS/CALLS"),
    ("limits", "local=5/5", "expected one of the roles scanner, "),
    ("limits", "partner=0/5", "expected a whole number from 1 to 10,000,000"),
    ("limits", "partner=5/999999", "expected a whole number from 1 to 100,000"),
    ("gateway_keys", "/no/such/directory", "no such directory"),
    ("gateway_keys", "pkcs11:token=onecode", "module-path= is missing"),
    ("log", "127.0.0.1:9092", "expected kafka://HOST:PORT"),
    ("log", "kafka://u:p@broker:9092", "expected kafka://HOST:PORT"),
    ("log_topic_prefix", "a/b", "expected up to 64 letters"),
    ("workers", "0", "expected a whole number from 1 to 64"),
    ("workers", "65", "expected a whole number from 1 to 64"),
    ("workers", "auto", "expected a whole number"),
    ("front", "nginx", "expected one of auto, "),
    ("signature_backend", "openssl", "expected one of auto, "),
    ("shadow_one_in", "0", "expected a whole number from 1 to 1,000,000,000"),
    ("skew_s", "-1", "expected a number from 0 to 3600"),
    ("skew_s", "nan", "expected a number"),
    ("skew_s", "a minute", "expected a number"),
    ("trust_list_grace_s", "inf", "expected a number"),
    ("trust_list_unread_max_s", "-1", "expected a number from 0 to 2.6784e+06"),
    ("drain_s", "301", "expected a number from 0 to 300"),
    ("connection_age_s", "0", "expected a number from 1 to 604800"),
    ("queue_codes_max", "4095", "expected a whole number from 4,096 to 1,000,000"),
    ("queue_codes_max", "5000.0", "expected a whole number"),
    ("queue_codes_max", "9" * 5000, "expected a whole number"),
    ("cache_entries_max", "-5", "expected a whole number"),
    ("otel_endpoint", "127.0.0.1:4318", "expected http://HOST:PORT"),
    ("otel_endpoint", "http://u:p@127.0.0.1", "expected http://HOST:PORT"),
    ("otel_endpoint", "http://a:99999", "expected http://HOST:PORT"),
    ("otel_endpoint", "http://a/?b", "expected http://HOST:PORT"),
    ("otel_endpoint", "http://a\r\nX: y", "expected http://HOST:PORT"),
    ("otel_endpoint", "file:///etc", "expected http://HOST:PORT"),
    ("reflection", "yes", "expected one of true, false"),
    ("log_level", "INFO", "expected one of debug, info, warning, error"),
]


@pytest.fixture
def read(tmp_path):
    """Settings from what is given besides a good data directory."""
    return lambda **given: Settings.read({"data_dir": str(tmp_path), **given})


def mistakes(read, **given):
    with pytest.raises(Misconfigured) as refused:
        read(**given)
    return refused.value.mistakes


def test_a_data_directory_is_all_that_must_be_given(read, tmp_path):
    assert read() == Settings(tmp_path)


def test_what_is_none_was_not_given(read, tmp_path):
    assert read(**dict.fromkeys(NAMES - {"data_dir"})) == Settings(tmp_path)


@pytest.mark.parametrize(("name", "text", "value"), GOOD)
def test_a_setting_is_read_by_its_name(read, tmp_path, name, text, value):
    settings = read(**{name: text})
    assert getattr(settings, name) == value
    assert settings == Settings(tmp_path, **{name: value})


@pytest.mark.parametrize(("name", "text", "why"), BAD)
def test_a_mistake_is_one_line_with_the_flag_and_what_was_given(read, name, text, why):
    (line,) = mistakes(read, **{name: text})
    assert line.startswith(f"--{name.replace('_', '-')} {text!r}: ")
    assert why in line
    assert "\n" not in line


def test_every_setting_is_tested_here_good_and_bad():
    assert {name for name, *_ in GOOD} | {"data_dir"} == NAMES
    assert {name for name, *_ in BAD} == NAMES - FILES


def test_where_connections_would_not_be_spread_there_is_one_worker(read, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert mistakes(read, workers="2") == (
        "--workers '2': more than one needs Linux, which spreads connections over the workers",
    )


def test_every_mistake_is_told_at_once(read):
    flags = [line.split()[0] for line in mistakes(read, listen="x", skew_s="x", log_level="x")]
    assert flags == ["--listen", "--skew-s", "--log-level"]


@pytest.mark.parametrize("others", [{}, {"skew_s": "x"}])
def test_a_missing_data_directory_is_a_mistake_beside_the_others(read, others):
    assert "--data-dir is missing" in mistakes(read, data_dir=None, **others)
    assert len(mistakes(read, data_dir=None, **others)) == 1 + len(others)


def test_the_defaults_are_what_could_have_been_given(read, tmp_path):
    values = {name: getattr(Settings(tmp_path), name) for name in NAMES}
    given = {name: "" if value is None else str(value) for name, value in values.items()}
    assert Settings.read(given) == Settings(tmp_path)


def test_settings_do_not_change_while_a_server_runs(read):
    with pytest.raises(FrozenInstanceError):
        read().skew_s = 0.0


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:0", "127.0.0.1", 0),
        ("127.9.8.7:65535", "127.9.8.7", 65_535),
        ("[::1]:0", "::1", 0),
        ("localhost:50051", "localhost", 50_051),
    ],
)
def test_a_loopback_address_is_served_and_written_as_it_was_read(text, host, port):
    assert address(text) == (host, port)
    assert str(address(text)) == text
    assert address(text).is_loopback


OTHERS = ["0.0.0.0:50051", "[::]:50051", "192.168.1.1:50051", "10.0.0.1:0", "[2001:db8::1]:0", "128.0.0.1:0"]
TLS = {"tls_cert": "cert.pem", "tls_key": "key.pem", "tls_client_ca": "ca.pem"}


@pytest.mark.parametrize("text", OTHERS)
def test_an_address_that_others_reach_needs_tls_or_a_word_that_it_is_insecure(read, text):
    assert mistakes(read, listen=text) == (f"--listen {text}: others reach it, which needs --tls-cert and --tls-key",)
    assert mistakes(read, metrics=text) == (f"--metrics {text}: others reach it, which needs --metrics-tls true",)
    assert read(listen=text, **TLS).listen == address(text)
    assert read(metrics=text, metrics_tls="true", **TLS).metrics == address(text)
    assert read(listen=text, metrics=text, insecure_plaintext="true").insecure_plaintext


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"tls_cert": "cert.pem", "token_keys": "keys.json"}, "belong together"),
        ({"tls_key": "key.pem"}, "belong together"),
        ({"tls_client_ca": "ca.pem"}, "--tls-client-ca needs --tls-cert"),
        ({"tls_crl": "crl.pem", "tls_client_ca": "ca.pem"}, "--tls-crl needs --tls-cert"),
        ({"metrics_tls": "true"}, "--metrics-tls needs --tls-cert"),
        (TLS | {"tls_client_ca": None, "tls_crl": "crl.pem", "token_keys": "keys"}, "--tls-crl needs --tls-client-ca"),
        ({"tls_cert": "cert.pem", "tls_key": "key.pem"}, "no caller could have an identity"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(read, given, why):
    assert any(why in line for line in mistakes(read, **given))


LOG_TLS = {"log_ca": "ca.pem", "log_cert": "cert.pem", "log_key": "key.pem"}


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"log_ca": "ca.pem"}, "--log-ca needs --log"),
        ({"log": "kafka://a:1", "log_ca": "ca.pem", "log_key": "key.pem"}, "belong together: give all three"),
        ({"log": "kafka://a:1,127.0.0.1:1"}, "--log kafka://a:1,127.0.0.1:1: others could read it"),
    ],
)
def test_a_log_that_others_could_read_needs_tls(read, given, why):
    (line,) = mistakes(read, **given)
    assert why in line


def test_a_log_has_its_files_and_its_prefix(read):
    settings = read(log="kafka://a:1", log_topic_prefix="two.", **LOG_TLS)
    files = (Path("ca.pem"), Path("cert.pem"), Path("key.pem"))
    assert settings.shared_log == LogAddress(("a:1",), *files, "two.")
    assert read(log="kafka://127.0.0.1:1").shared_log == LogAddress(("127.0.0.1:1",))
    assert read(log="kafka://a:1", insecure_plaintext="true").shared_log is not None
    assert read().shared_log is None


@pytest.mark.parametrize(
    "given", [TLS, {"insecure_plaintext": "true"}, TLS | {"listen": "0.0.0.0:0"}, TLS | {"metrics_tls": "true"}]
)
def test_callers_need_no_identity_only_where_nobody_else_reaches_the_server(read, given):
    assert read().is_private
    assert not read(**given).is_private


def test_a_unix_socket_is_this_machines_alone_and_has_one_worker(read):
    settings = read(listen="unix:/run/onecode/s")
    assert (settings.workers, settings.is_private, str(settings.listen)) == (1, True, "unix:/run/onecode/s")
    assert mistakes(read, listen="unix:/s", workers="2") == ("--workers 2: a Unix socket has one",)
    assert mistakes(read, listen="unix:/s", log="kafka://127.0.0.1:9092") == (
        "--log: a machine that shares a log has several processes, and a Unix socket has one",
    )
    assert mistakes(read, listen="unix:/s", front="native") == ("--front native: a Unix socket is grpc.aio's alone",)
    assert any("speak plaintext" in line for line in mistakes(read, listen="unix:/s", **TLS))


def test_calls_of_the_native_front_cannot_be_traced(read):
    (line,) = mistakes(read, otel_endpoint="http://127.0.0.1:4318", front="native")
    assert line == "--front native: calls are traced by grpc.aio alone, and --otel-endpoint asks for it"
    assert read(otel_endpoint="http://127.0.0.1:4318").front == "auto"


@pytest.mark.parametrize("text", ["unix:", "unix:s", "unix:/", "unix:/run/", "unix:/" + "x" * 103, "unix:/\0"])
def test_a_unix_socket_has_an_absolute_path_of_its_own(read, text):
    assert all("expected an absolute path" in line for line in mistakes(read, listen=text))
    assert all("expected" in line for line in mistakes(read, metrics="unix:/s"))


@pytest.mark.parametrize(
    "text", [":50051", "example.com:50051", "localhost.example.com:50051", "127.1:50051", "2130706433:50051"]
)
def test_an_address_is_an_ip_address_or_localhost(text):
    with pytest.raises(ValueError, match="expected an IP address or localhost"):
        address(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "127.0.0.1:+80",
        "127.0.0.1: 80",
        "127.0.0.1:http",
        "127.0.0.1:0x50",
        "localhost:50051/",
        "localhost:" + "9" * 5000,
    ],
)
def test_an_address_without_a_port_that_can_be_is_refused(text):
    with pytest.raises(ValueError, match="expected HOST:PORT"):
        address(text)


def test_bounds_are_the_engine_s_own_unless_they_are_set(tmp_path):
    settings = Settings(tmp_path)
    assert (settings.queue_codes_max, settings.cache_entries_max) == (CODES_MAX, ENTRIES_MAX)
    assert settings.connection_age_s == CONNECTION_AGE_S


@pytest.mark.parametrize(("platform", "usable", "workers"), [("linux", 3, 3), ("linux", 100, 64), ("darwin", 8, 1)])
def test_there_is_a_worker_for_each_core_unless_it_is_set(tmp_path, monkeypatch, platform, usable, workers):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(cores, "usable", lambda: usable)
    assert Settings(tmp_path).workers == workers
