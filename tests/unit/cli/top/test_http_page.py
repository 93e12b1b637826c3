"""Pages over HTTP from servers on loopback that do what no server should: each is a fault within its bounds."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from onecode_client import Tls
from onecode_server.cli.target import PagesTarget
from onecode_server.cli.top.http_page import PAGE_BYTES_MAX, PageCredentials, fetch, open_pages, read_url
from onecode_server.cli.top.pages import PageFault
from onecode_server.errors import Misconfigured

GOOD = b"onecode_queue_codes 7\n"


def answer(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode() + body


async def fetched(behave: Callable[[asyncio.StreamWriter], Coroutine[Any, Any, None]], timeout_s: float = 30) -> Any:
    """Fetch a page from a server that behaves so once it has read a request, and return it with the request."""
    requests = []
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            requests.append(await reader.readuntil(b"\r\n\r\n"))
            await behave(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        target = PagesTarget((f"127.0.0.1:{port}",), None, None)
        (url,), credentials = open_pages(target)
        try:
            return await fetch(url, credentials, lambda: 5.0, timeout_s), requests[0]
        finally:
            await asyncio.wait_for(ended.wait(), 30)


def sending(*parts: bytes) -> Callable[[asyncio.StreamWriter], Coroutine[Any, Any, None]]:
    async def behave(writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()

    return behave


async def test_a_page_is_read_with_the_time_at_which_it_came() -> None:
    page, request = await fetched(sending(answer(GOOD, "200 OK", f"Content-Length: {len(GOOD)}")))
    assert (page.at_s, page.samples) == (5, {"onecode_queue_codes": {frozenset(): 7}})
    assert request.startswith(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"Authorization" not in request


async def test_a_page_in_chunks_and_one_until_the_end_are_read_too() -> None:
    chunks = answer(b"16\r\n" + GOOD + b"\r\n0\r\n\r\n", "200 OK", "Transfer-Encoding: chunked")
    for parts in ((chunks,), (answer(b""), GOOD[:5], GOOD[5:])):
        assert (await fetched(sending(*parts)))[0].samples["onecode_queue_codes"]


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"", "is not HTTP"),
        (b"\xff" * 100, "is not HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 1000, "is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonecode_queue_codes 7\n", "cut off"),
        (answer(b"zz\r\n", "200 OK", "Transfer-Encoding: chunked"), "cut off"),
        (answer(b"", "302 Found", "Location: http://127.0.0.1/"), "HTTP status 302$"),
        (answer(b"not for you\nmore", "403 Forbidden"), "HTTP status 403: not for you$"),
        (answer(b"\x1b[31mred", "500 Oh"), r"HTTP status 500: \\x1b\[31mred$"),
        (answer(b"x" * 100_000, "500 Oh"), "HTTP status 500: x{200}$"),
        (answer(b"\xff\xfe"), "not in Prometheus's text format"),
        (answer(b"up 1\n"), "no metrics of onecode"),
    ],
)
async def test_what_is_no_page_is_a_fault_in_one_line(sent: bytes, says: str) -> None:
    with pytest.raises(PageFault, match=says) as fault:
        await fetched(sending(sent))
    assert "\n" not in str(fault.value)


async def test_a_page_without_end_is_left_at_its_bound() -> None:
    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b""))
        while True:
            writer.write(GOOD * 10_000)
            await writer.drain()

    with pytest.raises(PageFault, match=f"more than {PAGE_BYTES_MAX:,} bytes"):
        await fetched(behave)


async def test_a_server_that_says_a_byte_now_and_then_is_left_in_time() -> None:
    async def behave(writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"H")
            await writer.drain()
            await asyncio.sleep(0.01)

    with pytest.raises(PageFault, match=r"no page within 0\.3 s"):
        await fetched(behave, timeout_s=0.3)


@pytest.mark.parametrize(
    ("text", "speaks_tls", "place"),
    [
        ("a:1", False, (False, "a", 1, "/metrics")),
        ("a:1", True, (True, "a", 1, "/metrics")),
        ("[::1]:9464", False, (False, "::1", 9464, "/metrics")),
        ("http://a", True, (False, "a", 80, "/metrics")),
        ("https://a/", False, (True, "a", 443, "/metrics")),
        ("https://a:2/x/metrics?job=1", False, (True, "a", 2, "/x/metrics?job=1")),
    ],
)
def test_a_place_is_an_address_or_a_url(text: str, speaks_tls: bool, place: tuple[Any, ...]) -> None:
    assert read_url(text, speaks_tls=speaks_tls)[1:] == place


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a:",
        "a:0",
        "a:x",
        "a:70000",
        ":1",
        "ftp://a",
        "http://",
        "http://u:p@a",
        "a:1\r\nX: y",
        "é:1",
        "http://a:",
    ],
)
def test_what_is_no_place_is_a_mistake(text: str) -> None:
    with pytest.raises(Misconfigured, match="expected HOST:PORT"):
        read_url(text, speaks_tls=False)


def test_a_token_goes_over_https_or_stays_here(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret\n")
    for page in ("127.0.0.1:1", "http://[::1]:1", "https://elsewhere.example"):
        _, credentials = open_pages(PagesTarget((page,), None, token))
        assert credentials.authorization == "Bearer secret"
    with pytest.raises(Misconfigured, match="over HTTPS only"):
        open_pages(PagesTarget(("127.0.0.1:1", "elsewhere.example:1"), None, token))


def test_files_that_turn_bad_stay_in_use_and_new_ones_are_taken(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first")
    credentials = PageCredentials(PagesTarget((), None, token), speaks_https=False)
    for text, used in (("", "first"), ("not one token", "first"), ("second", "second")):
        token.write_text(text)
        credentials.renew()
        assert credentials.authorization == f"Bearer {used}"
    token.unlink()
    credentials.renew()
    assert credentials.authorization == "Bearer second"
    with pytest.raises(Misconfigured, match="cannot read"):
        open_pages(PagesTarget(("a:1",), Tls(ca=tmp_path / "none"), None))
