"""A TCP proxy that can lose answers: requests reach the server, replies do not reach the client."""

import asyncio
import contextlib
from urllib.parse import urlsplit


class CuttingProxy:
    """Between a client and the server of `url`. `lose`: "nothing", "answers" (and cut), "requests" (and cut), or "time"
    (nothing moves any more)."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 27017
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.lose = "nothing"

    async def __aenter__(self) -> "CuttingProxy":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"mongodb://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/?directConnection=true"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        sides, pumps = [writer], set[asyncio.Task[None]]()
        try:
            far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
            sides.append(far_writer)
            pumps |= {
                asyncio.create_task(self._pump(reader, far_writer, "requests")),
                asyncio.create_task(self._pump(far_reader, writer, "answers")),
            }
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for side in sides:
                side.close()
            for side in sides:  # else the loop ends first, and a later test gets the warning
                with contextlib.suppress(OSError):
                    await side.wait_closed()
            self._tasks.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, carries: str) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                while self.lose == "time":  # noqa: ASYNC110 - a test's knob
                    await asyncio.sleep(0.01)
                if self.lose == carries:
                    return
                writer.write(data)
                await writer.drain()
