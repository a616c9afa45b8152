"""The connections of the benchmarks: each answer belongs to its own request."""

import asyncio
import contextlib

import pytest

from benchmarks import market


async def test_a_request_that_is_given_up_leaves_no_answer_to_the_next_one():
    is_asked, may_answer, connections = asyncio.Event(), asyncio.Event(), []

    async def serve(reader, writer):
        connections.append(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                path = (await reader.readuntil(b"\r\n\r\n")).split()[1]
                if path == b"/slow":
                    is_asked.set()
                    await may_answer.wait()
                body = b'{"path": "' + path + b'"}'
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with market.links(url, 1) as to:
            slow = asyncio.create_task(to.get("/slow"))
            await is_asked.wait()
            slow.cancel()
            with pytest.raises(asyncio.CancelledError):
                await slow

            next_one = asyncio.create_task(to.get("/next"))
            await asyncio.sleep(0)
            may_answer.set()

            assert await next_one == (200, {"path": "/next"})
        await asyncio.gather(*connections)  # the server does not wait for them
