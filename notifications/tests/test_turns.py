"""A turn of the event loop holds a bounded number of steps; the others wait in line, and each has its turn."""

import asyncio

from notifications import frames
from notifications.push import sockets, turns


async def test_a_crowd_takes_no_more_steps_in_a_turn_than_there_are_and_others_come_between() -> None:
    shared, taken = turns.Turns(), 0
    per_turn: list[int] = []

    async def work() -> None:
        nonlocal taken
        await shared.step()
        taken += 1

    tasks = [asyncio.create_task(work()) for _ in range(5 * turns.STEPS_PER_TURN)]
    while not all(task.done() for task in tasks):
        before = taken
        await asyncio.sleep(0)
        per_turn.append(taken - before)

    assert max(per_turn) <= turns.STEPS_PER_TURN
    assert taken == sum(per_turn) == len(tasks)
    assert len([steps for steps in per_turn if steps]) >= 5


async def test_steps_are_given_in_the_order_of_their_requests() -> None:
    shared, order = turns.Turns(), []

    async def work(number: int) -> None:
        await shared.step()
        order.append(number)

    numbers = range(3 * turns.STEPS_PER_TURN)
    await asyncio.gather(*(work(number) for number in numbers))

    assert order == list(numbers)


async def test_a_task_that_was_cancelled_in_the_line_takes_no_step_from_the_others() -> None:
    shared = turns.Turns()
    for _ in range(turns.STEPS_PER_TURN):
        assert shared.take()
    line = [asyncio.get_running_loop().create_future() for _ in range(turns.STEPS_PER_TURN + 1)]
    for waiter in line:
        shared.enqueue(waiter)

    line[0].cancel()
    await asyncio.sleep(0)

    assert all(waiter.done() for waiter in line)


async def test_a_frame_for_a_crowd_wakes_a_few_sockets_in_each_turn() -> None:
    shared, sent = turns.Turns(), 0
    crowd = [
        sockets.Socket(transport="websocket", drained=lambda _: None, turns=shared)
        for _ in range(4 * turns.STEPS_PER_TURN)
    ]

    async def pump(socket: sockets.Socket) -> None:
        nonlocal sent
        entry = await socket.next()
        assert entry is not None
        sent += 1
        socket.sent(entry)

    pumps = [asyncio.create_task(pump(socket)) for socket in crowd]
    await asyncio.sleep(0)
    for socket in crowd:
        socket.put(frames.auction("a" * 32, 1, "{}"))
    most = 0
    while not all(task.done() for task in pumps):
        before = sent
        await asyncio.sleep(0)
        most = max(most, sent - before)

    assert sent == len(crowd)
    assert most <= turns.STEPS_PER_TURN
