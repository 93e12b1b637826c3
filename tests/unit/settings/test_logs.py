"""Logs: one JSON object a line whatever is logged, and of a failure its kind and place but not its words."""

import io
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from onecode_server.settings import logs

SECRET = "eyJhbGciOiJFZERTQSJ9.a-code-that-was-scanned"


@pytest.fixture
def lines(monkeypatch):
    """Configure logging as the server does; return a function that gives what was written, line by line."""
    written = io.StringIO()
    level = logging.root.level
    monkeypatch.setattr(logs, "sys", SimpleNamespace(stderr=written))
    monkeypatch.setattr(logging.root, "handlers", [])
    logs.configure("info")
    yield lambda: [json.loads(line) for line in written.getvalue().split("\n")[:-1]]
    logging.root.setLevel(level)


log = logging.getLogger("onecode_server.somewhere")


def fail():
    raise ValueError(SECRET)


def test_a_line_tells_when_how_grave_where_and_what(lines):
    before = datetime.now(UTC)
    log.info("trust list taken")
    (line,) = lines()
    time = datetime.fromisoformat(line.pop("time"))
    assert line == {"level": "info", "logger": "onecode_server.somewhere", "message": "trust list taken"}
    assert abs((time - before).total_seconds()) < 5
    assert time.utcoffset() == timedelta(0)


def test_each_call_is_one_line_even_if_the_message_has_several(lines):
    log.info("one\ntwo\r\nthree\x00")
    log.warning("%s and %d", "four\n", 5)
    assert [line["message"] for line in lines()] == ["one\ntwo\r\nthree\x00", "four\n and 5"]


def test_what_is_given_as_extra_becomes_fields(lines):
    log.error("entry skipped", extra={"entry": "regions[3]", "version": 7, "skipped": None, "name_local": "湖北"})
    (line,) = lines()
    assert {name: line[name] for name in ("entry", "version", "skipped", "name_local")} == {
        "entry": "regions[3]",
        "version": 7,
        "skipped": None,
        "name_local": "湖北",
    }


def test_what_the_process_is_stands_on_each_of_its_lines(lines):
    logs.configure("info", worker=3)
    log.info("one")
    log.info("two", extra={"version": 7})
    assert [(line["message"], line["worker"], line.get("version")) for line in lines()] == [
        ("one", 3, None),
        ("two", 3, 7),
    ]


@pytest.mark.parametrize(
    "value", [b"\xff", Path("/x"), {1, 2}, object(), datetime.now(UTC)], ids=["bytes", "path", "set", "object", "time"]
)
def test_what_json_does_not_know_becomes_text(lines, value):
    log.info("odd", extra={"value": value})
    assert lines()[0]["value"] == str(value)


def test_what_is_below_the_level_is_not_written(lines):
    log.debug("chatter")
    assert lines() == []
    logs.configure("debug")
    log.debug("asked for")
    assert [line["level"] for line in lines()] == ["debug"]


def test_configuring_twice_does_not_write_twice(lines):
    logs.configure("info")
    log.info("once")
    assert len(lines()) == 1


@pytest.mark.parametrize("level", [logging.WARNING, logging.ERROR, logging.CRITICAL])
def test_a_failure_is_told_by_kind_and_place_and_never_by_its_words(lines, level):
    try:
        fail()
    except ValueError:
        log.log(level, "it failed", exc_info=True)
    (line,) = lines()
    assert line["exception"] == "ValueError"
    assert "test_logs.py" in line["where"]
    assert line["where"].endswith(" fail")
    assert SECRET not in json.dumps(line)


def test_the_cause_of_a_failure_is_not_quoted_either(lines):
    try:
        try:
            fail()
        except ValueError as fault:
            raise KeyError("outer") from fault
    except KeyError:
        log.critical("it failed", exc_info=True)
    assert SECRET not in json.dumps(lines())


def test_where_nothing_failed_no_failure_is_told(lines):
    log.error("no failure here", exc_info=True)
    assert "exception" not in lines()[0]


def record(message: str, name: str = "grpc._cython", level: int = logging.ERROR) -> logging.LogRecord:
    return logging.LogRecord(name, level, "/grpc/server.py", 1, message, None, None)


def test_what_is_logged_again_and_again_is_dropped_and_counted():
    now_s = 0.0
    repeats = logs.RepeatFilter(lambda: now_s)
    passed = sum(repeats.filter(record("not UTF-8")) for _ in range(5 * logs.REPEATS_MAX))
    assert passed == logs.REPEATS_MAX
    assert repeats.filter(record("another fault"))
    assert repeats.filter(record("not UTF-8", level=logging.WARNING))
    now_s = logs.WINDOW_S
    first, second = record("not UTF-8"), record("not UTF-8")
    assert repeats.filter(first)
    assert repeats.filter(second)
    assert vars(first)["dropped_repeats"] == 4 * logs.REPEATS_MAX
    assert "dropped_repeats" not in vars(second)


def test_messages_that_a_caller_makes_different_are_bounded_together():
    repeats = logs.RepeatFilter(lambda: 0.0)
    passed = sum(repeats.filter(record(f"{number} is no status")) for number in range(10_000))
    assert passed == logs.KINDS_MAX + logs.REPEATS_MAX
    assert not repeats.filter(record("something else"))
    assert repeats.filter(record("the worker ends", level=logging.CRITICAL))


def test_the_faults_of_a_whole_trust_list_are_all_logged(lines):
    for number in range(logs.OWN_REPEATS_MAX + 50):
        log.error("entry skipped", extra={"entry": number})
    log.error("another")
    assert [line.get("entry") for line in lines()] == [*range(logs.OWN_REPEATS_MAX), None]


def test_threads_log_at_once_and_no_record_is_lost_below_the_bound(lines):
    def work(number: int) -> None:
        for step in range(50):
            logging.getLogger(f"library.{number}").error("%d", step)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(20)))
    assert len(lines()) == 20 * 50


@pytest.mark.parametrize(
    "text",
    [
        "ExecuteBatchError raised in core by servicer method [/onecode.v1.RecognitionService/Verify]",
        "Invalid encoding on b'\\xff'",
    ],
)
def test_what_a_caller_alone_has_caused_is_no_error_of_the_server(lines, text):
    logging.getLogger("grpc._cython.cygrpc").error(text)
    logging.getLogger("grpc._cython.cygrpc").error("%s", text)
    logging.getLogger("onecode_server.rpc").error(text)
    assert [line["level"] for line in lines()] == ["info", "info", "error"]


def test_other_errors_of_grpc_stay_errors(lines):
    logging.getLogger("grpc._cython.cygrpc").error("Unexpected [ExecuteBatchError raised in core ] raised")
    logging.getLogger("grpc._cython.cygrpc").critical("ExecuteBatchError raised in core by servicer method [/a/b]")
    assert [line["level"] for line in lines()] == ["error", "critical"]


def test_what_was_lowered_below_the_level_that_is_written_is_dropped():
    drops = logs.CallersFaultFilter(logging.WARNING)
    assert not drops.filter(record("Invalid encoding on b'\\xff'", "grpc._cython.cygrpc"))
    assert drops.filter(record("another", "grpc._cython.cygrpc"))
