"""A client of the store outlives any operation that is given up or cancelled."""

import asyncio

import pytest

from auction_project.kernel import errors
from bidding.store import bid_log, client

NOWHERE = "mongodb://127.0.0.1:1"


async def test_an_operation_that_takes_too_long_is_given_up_and_goes_on():
    may_end = asyncio.Event()
    ended = []

    async def operation():
        await may_end.wait()
        ended.append("by itself")

    with pytest.raises(errors.Unavailable):
        await client.guard(operation(), seconds=0.01)

    assert ended == []
    may_end.set()
    await asyncio.sleep(0.01)
    assert ended == ["by itself"]


@pytest.mark.parametrize("operation", ["read", "append"])
async def test_an_operation_that_is_cancelled_while_it_waits_for_a_server_leaves_the_clients_lock_free(
    operation,
):
    connection = client.connect(NOWHERE)
    bids = bid_log.BidLog(connection["gavel"])
    lock = connection._topology._lock  # each operation takes it, and the monitor of the server
    waiting = asyncio.create_task(
        bids.append([], batch="a") if operation == "append" else bids.estimate_count()
    )
    await asyncio.sleep(0.3)
    await lock.acquire()
    await asyncio.sleep(0.5)  # half a second after its begin the operation looks again, and needs the lock
    waiting.cancel()
    lock.release()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    async with asyncio.timeout(5):
        await lock.acquire()
    lock.release()
    await connection.close()
