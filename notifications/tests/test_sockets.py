"""What is put to a socket goes in that order, whether it is written at once or by the socket's task."""

import asyncio

import pytest

from notifications import frames
from notifications.push import sockets, turns


class Connection:
    """Takes bytes at once while `is_free`; `pump` sends what waits, as a stream's task does."""

    def __init__(self) -> None:
        self.is_free = True
        self.got: list[bytes] = []
        self.socket = sockets.Socket(
            transport="websocket", drained=lambda _: None, turns=turns.Turns(), write=self.write
        )

    def write(self, frame: bytes) -> bool:
        if self.is_free:
            self.got.append(frame)
        return self.is_free

    async def pump(self) -> None:
        while (entry := await self.socket.next()) is not None:
            for frame in entry:
                await asyncio.sleep(0)
                self.got.append(frame.wire)
            self.socket.sent(entry)

    @property
    def seqs(self) -> list[int]:
        return [int(frame[2:]) for frame in self.got]


@pytest.fixture
def connection() -> Connection:
    return Connection()


def frame(seq: int) -> frames.Frame:
    return frames.auction("a" * 32, seq, str(seq))


async def turn() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_frame_is_written_at_once_when_nothing_waits(connection: Connection) -> None:
    pump = asyncio.create_task(connection.pump())
    await turn()

    for seq in (1, 2, 3):
        connection.socket.put(frame(seq))

    assert connection.seqs == [1, 2, 3]
    connection.socket.close(sockets.GOING_AWAY)
    await pump


async def test_a_frame_never_overtakes_one_that_waits_or_is_being_sent(connection: Connection) -> None:
    connection.socket.put(frame(1))  # before its task runs
    pump = asyncio.create_task(connection.pump())
    connection.socket.put(frame(2))
    await asyncio.sleep(0)
    connection.socket.put(frame(3))
    await turn()
    connection.is_free = False
    connection.socket.put(frame(4))
    connection.is_free = True
    connection.socket.put(frame(5))
    await asyncio.sleep(0)
    connection.socket.put_backlog([frame(6), frame(7)])
    connection.socket.put(frame(8))
    await turn()
    connection.socket.put(frame(9))

    assert connection.seqs == list(range(1, 10))
    connection.socket.close(sockets.GOING_AWAY)
    await pump


async def test_a_connection_that_takes_nothing_overflows_and_a_closed_one_gets_nothing(
    connection: Connection,
) -> None:
    connection.is_free = False
    waiting = asyncio.create_task(connection.socket.next())
    await asyncio.sleep(0)
    for seq in range(sockets.QUEUE_FRAMES + 1):
        connection.socket.put(frame(seq))
    connection.is_free = True
    connection.socket.put(frame(1000))

    assert (connection.socket.code, connection.got) == (sockets.OVERFLOW, [])
    assert await waiting is None


def test_a_frame_is_the_same_bytes_as_the_server_makes_of_its_text() -> None:
    long = frames.auction("a" * 32, 1, '{"price": "€' + "1" * 300 + '"}')

    assert frames.auction("a" * 32, 1, "{}").wire == b"\x81\x02{}"
    assert long.wire[:4] == b"\x81\x7e" + len(long.text.encode()).to_bytes(2, "big")
    assert long.wire[4:] == long.text.encode()
    assert long.wire is long.wire


async def test_a_backlog_is_one_write_where_the_connection_takes_it(connection: Connection) -> None:
    missed = [frame(seq) for seq in (1, 2, 3)]

    assert connection.socket.write_all(missed)
    connection.is_free = False
    assert not connection.socket.write_all(missed)

    assert connection.got == [b"".join(one.wire for one in missed)]
