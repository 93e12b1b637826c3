"""A code of brackets ends no process: also in a thread that has as little stack as musl gives it."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys, threading
from onecode_client.offline import envelopes
from onecode_client.offline.faults import Malformed

def read():
    try:
        print(envelopes.read_claims(sys.argv[1], bytes.fromhex(sys.argv[2])))
    except Malformed as fault:
        print(fault)

threading.stack_size(128 * 1024)
reader = threading.Thread(target=read)
reader.start()
reader.join()
"""


@pytest.mark.parametrize(
    ("fmt", "payload"),
    [
        ("jwt", b'{"a":' + b"[" * 4090),
        ("paseto", b'{"a":' * 600 + b"1" + b"}" * 600),
        ("jwt", b'{"\\\\":"\\"[","b":' + b"[" * 2000 + b"]" * 2000 + b"}"),
        ("national", b"\x81" * 4000),
        ("national", b"\xc6" * 4000),
    ],
    ids=["arrays", "objects", "behind escapes", "CBOR arrays", "CBOR tags"],
)
def test_many_levels_are_malformed_before_they_are_decoded(fmt: str, payload: bytes) -> None:
    asked = [sys.executable, "-c", PROGRAM, fmt, payload.hex()]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "too many levels" in done.stdout


def test_brackets_in_strings_are_no_levels() -> None:
    text = b'{"a":"' + b"[" * 3000 + b'","b":"\\"' + b"{" * 900 + b'"}'
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "jwt", text.hex()], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.startswith("{'a': '[[["), done.stderr
