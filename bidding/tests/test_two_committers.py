"""Two committers on one store that misbehaves at random, on logs that both want to write. Each case is a seed."""

import asyncio
import contextlib
import itertools
import random

import msgspec
import pytest

from auction_project.kernel import errors
from bidding import rules
from bidding.rules import commands, log
from bidding.tests import lots, scripted_store
from bidding.tests.lots import T0
from bidding.tests.scripted_store import Step
from bidding.writer import fairness

pytestmark = pytest.mark.virtual_time

NOW = T0 + lots.MINUTE
BIDDERS = [f"{i:032x}" for i in range(1, 7)]
AUCTIONS = ("x", "y", "z")


class Witness:
    """What the clients saw: every answer with the head of the log at its request."""

    def __init__(self, scripted):
        self.scripted = scripted
        self.accepted: list[tuple[commands.PlaceBid, log.Entry]] = []
        self.refused: list[tuple[commands.PlaceBid, rules.Refusal, int]] = []
        self.salts = itertools.count()

    async def ask(self, writer, command):
        head = self.scripted.head(command.auction_id)
        command = msgspec.structs.replace(command, salt=f"salt-{next(self.salts)}")
        try:
            outcome = await asyncio.wait_for(asyncio.shield(writer.submit(command)), 10)
        except errors.KeyReused:
            raise AssertionError("no key was used for two requests") from None
        except errors.Unavailable:
            return
        else:
            if isinstance(outcome, log.Entry):
                self.accepted.append((command, outcome))
            else:
                self.refused.append((command, outcome, head))


def misbehave(rng):
    """A step in one of four appends; another writer's bids come from the other committer."""
    if rng.random() < 0.75:
        return Step()
    if rng.random() < 0.3:
        return Step(unknown=True)
    lands = rng.choice(["never", "before the retry", "after the retry"])
    return Step(stored=rng.randrange(4), rest_lands=lands, unknown=True)


async def client(rng, witness, writers, number):
    """Bids one after the other; now and then again with the same key, at either writer, at once or later."""
    for i in range(8):
        auction = rng.choice(AUCTIONS)
        state = witness.scripted.state_of(auction)
        low = rules.formats.of(state).minimum(state)
        amount = low + rng.randrange(-100, 400)
        command = lots.bid(BIDDERS[number], amount, auction=auction, key=f"{i}")
        repeats = [witness.ask(rng.choice(writers), command) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
        await asyncio.gather(*repeats)
        if rng.random() < 0.2:
            await witness.ask(rng.choice(writers), command)
        await asyncio.sleep(0)


@pytest.mark.parametrize("seed", range(60))
async def test_two_writers_never_lose_double_or_contradict(seed):
    rng = random.Random(seed)
    scripted = scripted_store.ScriptedStore()
    for auction in AUCTIONS:
        scripted.holds(lots.open_lot(auction).entries)
    scripted.pause = lambda: asyncio.sleep(rng.random() * 0.002) if rng.random() < 0.7 else None
    scripted.misbehaviour = lambda: misbehave(rng)
    writers = [scripted_store.writer_on(scripted) for _ in range(2)]
    for writer in writers:
        writer.start()
    witness = Witness(scripted)

    await asyncio.gather(*(client(rng, witness, writers, number) for number in range(len(BIDDERS))))
    for writer in writers:
        await writer.stop()

    assert scripted_store.flaw(scripted) is None
    assert len(witness.accepted) > 10
    assert len(witness.refused) > 0
    answers: dict[str, log.Entry] = {}
    for command, entry in witness.accepted:
        assert scripted.entries[entry.auction_id, entry.seq] == entry
        assert answers.setdefault(command.idempotency, entry) == entry
    for command, refused, head in witness.refused:
        state = scripted.state_of(command.auction_id, refused.seq)
        assert refused.seq >= head, "decided on a state that was stale at the request"
        assert refused.hash == state.hash
        assert rules.decide(state, command) == refused


async def test_a_slow_writer_beside_a_busy_one_gets_its_turn():
    """One writer appends without pause; the other must not be kept out for ever."""
    scripted = scripted_store.ScriptedStore()
    scripted.holds(lots.open_lot("x").entries)
    scripted.pause = lambda: asyncio.sleep(0.001)
    busy, slow = (scripted_store.writer_on(scripted) for _ in range(2))
    busy.start()
    slow.start()
    await asyncio.gather(busy.look("x"), slow.look("x"))

    async def press(number):
        with contextlib.suppress(asyncio.CancelledError):
            for i in range(100_000):
                await busy.submit(lots.bid(BIDDERS[0], 20_00 + i * 10 + number, key=f"{number}-{i}"))

    pressing = [asyncio.create_task(press(number)) for number in range(8)]
    await scripted_store.until(lambda: scripted.head("x") > 10)

    try:
        outcomes = [
            await slow.submit(lots.bid(BIDDERS[1], 1_000_000_00 + i * 1_000_00, key=f"{i}")) for i in range(5)
        ]
    finally:
        for task in pressing:
            task.cancel()
        await asyncio.gather(*pressing, return_exceptions=True)
        await busy.stop()
        await slow.stop()
    assert [type(outcome) for outcome in outcomes] == [log.Entry] * 5
    assert scripted_store.flaw(scripted) is None


@pytest.fixture
async def never_idle(scripted):
    """A writer that always counts as busy, and whose pause would never end."""
    pauses = fairness.Pauses(every_seconds=0.0, bulks=float("inf"), max_seconds=3600.0)
    scripted.pause = lambda: asyncio.sleep(0.001)
    writer = scripted_store.writer_on(scripted, pauses=pauses)
    writer.start()
    assert (await writer.submit(lots.bid(BIDDERS[0], 20_00, key="first"))).seq == 4
    yield writer
    await writer.stop()
    assert scripted_store.flaw(scripted) is None


@pytest.mark.parametrize("asked_ms_ago", [None, 2001])
async def test_a_busy_writer_does_not_pause_unless_asked(never_idle, scripted, asked_ms_ago):
    scripted.crowded[never_idle.incarnation] = NOW
    if asked_ms_ago is not None:
        scripted.crowded["another"] = NOW - asked_ms_ago

    assert (await asyncio.wait_for(never_idle.submit(lots.bid(BIDDERS[0], 30_00, key="next")), 10)).seq == 5


async def test_a_busy_writer_pauses_for_one_that_asked(never_idle, scripted):
    scripted.crowded["another"] = NOW - 2000

    with pytest.raises(errors.Unavailable):
        await never_idle.submit(lots.bid(BIDDERS[0], 30_00, key="next"))

    assert scripted.head("x") == 4


async def test_a_busy_writer_that_cannot_learn_of_requests_goes_on(never_idle, scripted):
    async def broken(**_):
        raise RuntimeError("what is this?")

    scripted.is_back_off_requested = broken

    assert (await asyncio.wait_for(never_idle.submit(lots.bid(BIDDERS[0], 30_00, key="next")), 10)).seq == 5


async def test_a_writer_asks_others_to_back_off_when_it_has_lost_two_races_in_a_row(writer, scripted):
    def lose(amount):
        scripted.script.append(Step(foreign=scripted_store.another_bid(BIDDERS[1], amount)))

    lose(30_00)
    assert isinstance(await writer.submit(lots.bid(BIDDERS[0], 40_00, key="1")), log.Entry)
    lose(50_00)
    assert isinstance(await writer.submit(lots.bid(BIDDERS[0], 60_00, key="2")), log.Entry)
    assert scripted.crowded == {}
    lose(70_00)
    lose(90_00)
    assert isinstance(await writer.submit(lots.bid(BIDDERS[0], 200_00, key="last")), log.Entry)

    assert scripted.crowded == {writer.incarnation: NOW}
