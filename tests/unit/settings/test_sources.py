"""Where settings come from: what counts before what, TOML in its own types, and one line for each mistake in a file."""

from pathlib import Path

import pytest

from onecode_server.errors import Misconfigured
from onecode_server.settings.config import Settings
from onecode_server.settings.sources import FILE_BYTES_MAX
from onecode_server.settings.values import Address

GOOD = [
    ('listen = "[::1]:0"', "listen", Address("::1", 0)),
    ("skew_s = 30", "skew_s", 30.0),
    ("skew_s = 0.5", "skew_s", 0.5),
    ("trust_list_grace_s = 86_400", "trust_list_grace_s", 86_400.0),
    ("queue_codes_max = 0x2000", "queue_codes_max", 8192),
    ("reflection = true", "reflection", True),
    ("reflection = false", "reflection", False),
    ("log_level = 'debug'", "log_level", "debug"),
    ("workers = 1", "workers", 1),
]
BAD_VALUES = [
    ("skew_s = nan", "skew_s: expected a number from 0 to 3600"),
    ("skew_s = inf", "skew_s: expected a number from 0 to 3600"),
    ("skew_s = -1", "skew_s: expected a number from 0 to 3600"),
    ("skew_s = true", "skew_s: expected a number, not a boolean"),
    ('skew_s = "60"', "skew_s: expected a number, not a string"),
    ("skew_s = 1979-05-27", "skew_s: expected a number, not a date or a time"),
    ("skew_s = 07:32:00", "skew_s: expected a number, not a date or a time"),
    ("skew_s = [60]", "skew_s: expected a number, not an array"),
    ("[skew_s]\nvalue = 60", "skew_s: expected a number, not a table"),
    ("skew_s.value = 60", "skew_s: expected a number, not a table"),
    (f"skew_s = 0x{'f' * 5000}", "skew_s: expected a number of at most 64 bits"),
    ("queue_codes_max = 5000.0", "queue_codes_max: expected an integer, not a float"),
    ("queue_codes_max = -5000", "queue_codes_max: expected a whole number from 4,096 to 1,000,000"),
    ("queue_codes_max = true", "queue_codes_max: expected an integer, not a boolean"),
    ("reflection = 1", "reflection: expected a boolean, not an integer"),
    ('reflection = "true"', "reflection: expected a boolean, not a string"),
    ("listen = 50051", "listen: expected a string, not an integer"),
    ('listen = "example.com:50051"', "listen: expected an IP address or localhost before the port"),
    ("log_level = ''", "log_level: expected one of debug, info, warning, error"),
    ("data_dir = ''", "data_dir: no such directory"),
    ("data_dir = 'elsewhere'", "data_dir: no such directory"),
    ('data_dir = "\\u0000"', "data_dir: no such directory"),
    ("skew-s = 60", "'skew-s' is no setting; skew_s is one"),
    ("Reflection = true", "'Reflection' is no setting; reflection is one"),
    ("[server]\nskew_s = 60", "'server' is no setting"),
    ('"\\u202e\\n" = 1', "'\\u202e\\n' is no setting"),
]
NO_FILES = [
    (b"skew_s = 1\nskew_s = 2\n", "not TOML: Cannot overwrite a value (at line 2"),
    (b"skew_s\n", "not TOML: Expected '=' after a key"),
    (b"skew_s: 60\n", "not TOML: "),
    (b'{"skew_s": 60}', "not TOML: "),
    (b"# fine\nlog_level = '\xff'\n", "not TOML: not UTF-8 (at line 2)"),
    ("skew_s = 60".encode("utf-16"), "not TOML: not UTF-8 (at line 1)"),
    (b"skew_s = " + b"9" * 5000, "a number has too many digits"),
    (b"skew_s = " + b"[" * 50_000, "arrays lie too deep in each other"),
    (b"#" * (FILE_BYTES_MAX + 1), "more than 65,536 bytes are no settings file"),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "onecode.toml"


@pytest.fixture
def read(tmp_path, file):
    """Settings from a file with this content, besides a good data directory."""

    def read(content: str | bytes, flags=None, environment=None):
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        given = {"ONECODE_DATA_DIR": str(tmp_path)} if "data_dir" not in str(content) else {}
        return Settings.read(flags or {}, given | (environment or {}), file)

    return read


def mistakes(read, *given):
    with pytest.raises(Misconfigured) as refused:
        read(*given)
    return refused.value.mistakes


def test_a_flag_counts_before_a_variable_and_that_before_the_file(read):
    flag, variable, content = {"skew_s": "1"}, {"ONECODE_SKEW_S": "2"}, "skew_s = 3"
    assert read(content, flag, variable).skew_s == 1
    assert read(content, {"skew_s": None}, variable).skew_s == 2
    assert read(content).skew_s == 3
    assert read("").skew_s == 60


def test_an_empty_variable_is_not_given(read):
    assert read("skew_s = 3", {}, {"ONECODE_SKEW_S": ""}).skew_s == 3


@pytest.mark.parametrize(("content", "name", "value"), GOOD)
def test_a_file_has_the_types_of_toml(read, tmp_path, content, name, value):
    settings = read(content)
    assert settings == Settings(tmp_path, **{name: value})
    assert type(getattr(settings, name)) is type(value)


@pytest.mark.parametrize(("content", "why"), BAD_VALUES)
def test_a_mistake_in_a_file_is_one_line_with_the_file_and_the_key(read, file, content, why):
    assert mistakes(read, content) == (f"{file}: {why}",)


@pytest.mark.parametrize(("content", "why"), NO_FILES)
def test_a_file_that_is_no_settings_file_is_one_line(read, file, content, why):
    (line,) = mistakes(read, content)
    assert line.startswith(f"{file}: ")
    assert why in line
    assert line.isprintable()


def test_every_mistake_of_every_source_is_told_at_once(read, file):
    messages = mistakes(read, "skew_s = true\nfoo = 1", {"drain_s": "x"}, {"ONECODE_WORKERS": "x"})
    assert [line.rpartition(": ")[0] for line in messages] == [
        str(file),
        "ONECODE_WORKERS='x'",
        f"{file}: skew_s",
        "--drain-s 'x'",
    ]


def test_of_what_is_given_twice_only_what_counts_is_read(read):
    assert read("skew_s = true", {"skew_s": "1"}).skew_s == 1


@pytest.mark.parametrize(("name", "why"), [("absent", "No such file or directory"), ("", "Is a directory")])
def test_an_unreadable_file_is_one_line_and_nothing_is_said_to_be_missing(tmp_path, name, why):
    with pytest.raises(Misconfigured) as refused:
        Settings.read({"skew_s": "x"}, {}, tmp_path / name)
    unreadable, flag = refused.value.mistakes
    assert unreadable == f"cannot read the settings file {tmp_path / name}: {why}"
    assert flag.startswith("--skew-s 'x': ")


def test_a_file_without_end_is_read_up_to_its_bound():
    with pytest.raises(Misconfigured, match="/dev/zero: more than 65,536 bytes"):
        Settings.read({}, {}, Path("/dev/zero"))


def test_a_path_in_a_file_is_relative_to_the_file(tmp_path, monkeypatch):
    (tmp_path / "etc").mkdir()
    (tmp_path / "data").mkdir()
    file = tmp_path / "etc" / "onecode.toml"
    file.write_text("data_dir = '../data'")
    monkeypatch.chdir("/")
    assert Settings.read({}, {}, file).data_dir.samefile(tmp_path / "data")
    monkeypatch.chdir(tmp_path / "etc")
    assert Settings.read({}, {}, Path("onecode.toml")).data_dir.samefile(tmp_path / "data")


def test_an_absolute_path_in_a_file_is_what_it_is(tmp_path, read):
    assert read(f"data_dir = '{tmp_path}'").data_dir == tmp_path


def test_a_uri_in_a_file_is_no_path(tmp_path, read):
    uri = "pkcs11:token=onecode?module-path=/lib/p11.so&pin-source=/run/pin"
    (tmp_path / "keys").mkdir()
    assert read(f"data_dir = '.'\ngateway_keys = '{uri}'").gateway_keys == uri
    assert read("data_dir = '.'\ngateway_keys = 'keys'").gateway_keys == tmp_path / "keys"
