"""A relay between a front and the listener behind it: it counts the connections, holds them up, and cuts them."""

import asyncio
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

_PIECE_BYTES: Final = 65_536


class UnixRelay:
    """Passes bytes on both ways, over a connection of its own for each that it takes.

    ``opened`` is the number of connections that it has taken. While ``passes`` is not set, the listener gets nothing.
    """

    def __init__(self) -> None:
        self.opened = 0
        self.passes = asyncio.Event()
        self.passes.set()
        self._tasks: dict[asyncio.Task[None], None] = {}

    @property
    def open(self) -> int:
        """The number of connections that are open."""
        return len(self._tasks)

    async def start(self, path: Path) -> Path:
        """Listen beside the socket of the listener, and return the path."""
        self._to = path
        beside = path.with_name(path.name + "-relay")
        self._server = await asyncio.start_unix_server(self._begin, beside)
        return beside

    def cut_first(self) -> None:
        """Close the connection that was opened first of those that are open, as if the listener had."""
        next(iter(self._tasks)).cancel()

    async def close(self) -> None:
        """Take no more connections, and close those that are open."""
        self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        task = asyncio.create_task(self._relay(reader, writer))
        self._tasks[task] = None
        task.add_done_callback(partial(self._forget, writer))

    def _forget(self, writer: asyncio.StreamWriter, ended: asyncio.Task[None]) -> None:
        del self._tasks[ended]
        writer.close()  # here, for a task that is cut may not have begun

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_listener, to_listener = await asyncio.open_unix_connection(self._to)
        pumps = [self._pump(reader, to_listener, self.passes), self._pump(from_listener, writer, None)]
        running = [asyncio.create_task(pump) for pump in pumps]
        try:
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in running:
                pump.cancel()
            to_listener.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passes: asyncio.Event | None
    ) -> None:
        with suppress(ConnectionError):
            while some := await reader.read(_PIECE_BYTES):
                if passes is not None:
                    await passes.wait()
                writer.write(some)
                await writer.drain()
