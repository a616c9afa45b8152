"""What many at once cost the committer: repeats, refusals, looks and cold auctions share one round of the store."""

import asyncio

import msgspec
import pytest

from auction_project.kernel import errors
from bidding import rules
from bidding.store import mongo
from bidding.tests import lots, scripted_store
from bidding.tests.lots import ANN, BEN, CID, T0, bid
from bidding.tests.scripted_store import Step
from bidding.writer import auction_cache, auction_fold

pytestmark = pytest.mark.virtual_time


async def test_repeats_that_the_rules_would_accept_are_looked_up_together(writer, scripted):
    """All clients that got a 503 send their keys again."""
    bids = [bid(f"{i:032x}", 20_00 + i * 500_00, key=f"{i}") for i in range(300)]
    first = await asyncio.gather(*map(writer.submit, bids))
    again = scripted_store.writer_on(scripted)
    again.start()
    scripted.appends.clear()
    scripted.finds.clear()

    repeats = await asyncio.gather(*map(again.submit, bids))

    assert repeats == first
    assert (scripted.head("x"), len(scripted.appends), len(scripted.finds)) == (303, 0, 1)
    await again.stop()


async def test_raises_that_are_sent_again_delay_no_other_bid(writer, scripted):
    raises = [bid(ANN, 20_00 + i * 10_00, key=f"{i}") for i in range(300)]
    first = await asyncio.gather(*map(writer.submit, raises))
    scripted.appends.clear()

    *repeats, other = await asyncio.gather(*map(writer.submit, [*raises, bid(BEN, 30_00, auction="y")]))

    assert (repeats, other.seq) == (first, 4)
    assert len(scripted.appends) <= 3


async def test_a_refusal_needs_no_look_at_the_store_when_the_cache_knows_all_keys_of_its_bidder(
    writer, scripted
):
    await asyncio.gather(writer.submit(bid(ANN, 90_00, key="1")), writer.submit(bid(BEN, 95_00, key="2")))
    scripted.finds.clear()

    refused = await asyncio.gather(*(writer.submit(bid(ANN, 11_00, key=f"low-{i}")) for i in range(20)))

    assert {refusal.rule for refusal in refused} == {"bid_too_low"}
    assert scripted.finds in ([], [[]])


async def test_a_key_from_before_the_auction_was_loaded_is_looked_up(scripted):
    lot = lots.open_lot("old")
    stored = lot.bid(ANN, 90_00, key="mine")
    lot.bid(BEN, 95_00, key="other")
    scripted.holds(lot.entries)
    opened = auction_fold.AuctionFold("old", rules.dump(lot.state))

    assert opened.may_hold(bid(ANN, 90_00, auction="old", key="mine"))
    assert not opened.may_hold(bid("c" * 32, 90_00, auction="old", key="mine"))
    assert stored.seq == 4


async def test_after_so_many_keys_the_cached_auction_forgets_them_and_errs_on_the_safe_side(monkeypatch):
    monkeypatch.setattr(auction_fold, "MAX_KEYS", 3)
    lot, opened = lots.open_lot("x"), auction_fold.AuctionFold("x")
    bids = [lot.bid(ANN, 20_00 + i * 10_00, key=f"{i}") for i in range(6)]

    opened.apply_all({("x", entry.seq): entry for entry in lot.entries})

    assert all(opened.may_hold(bid(ANN, 1, key=entry.key)) for entry in bids)
    assert opened.state == lot.state


async def test_cold_auctions_are_loaded_in_chunks_and_what_was_loaded_stays_when_the_store_fails(
    scripted,
):
    names = [f"lot-{i}" for i in range(120)]
    scripted.holds(*(lots.open_lot(name).entries for name in names))
    cache, answered = auction_cache.AuctionCache(scripted), scripted._answering

    async def answering_twice():
        if len(scripted.loads) == 3:
            raise errors.Unavailable
        await answered()

    scripted._answering = answering_twice
    with pytest.raises(errors.Unavailable):
        await cache.load(names)
    scripted._answering = answered

    assert [len(chunk) for chunk in scripted.loads] == [50, 50, 20]
    assert sum(name in cache for name in names) == 100
    await cache.load(names)
    assert scripted.loads[3:] == [names[100:]]


async def test_a_log_that_cannot_be_read_or_applied_stops_its_own_auction_only(scripted):
    scripted.holds(lots.open_lot("fine").entries)
    cache, load = auction_cache.AuctionCache(scripted), scripted.load_snapshots

    async def with_a_strange_one(auction_ids):
        return await load(auction_ids) | {"strange": rules.Snapshot('{"who": "knows"}')}

    scripted.load_snapshots = with_a_strange_one
    await cache.load(["fine", "strange"])

    assert ("fine" in cache, "strange" in cache, cache.damaged) == (True, False, {"strange"})


async def test_an_entry_that_cannot_be_read_stops_its_own_auction_only(scripted):
    """A newer version of the program wrote it, or the database was edited."""
    read = scripted.read

    async def reading(places):
        places = list(places)
        if ("y", 3) in places:
            raise msgspec.ValidationError("what is this?")
        return await read(places)

    scripted.read = reading
    cache = auction_cache.AuctionCache(scripted)
    await cache.load(["x", "y", "z"])

    assert ({name for name in "xyz" if name in cache}, cache.damaged) == ({"x", "z"}, {"y"})


async def test_a_look_that_came_before_the_end_closes_nothing_before_a_bid_that_came_in_time(scripted):
    """Both waited for a slow commit; the end passed meanwhile."""
    ends_at, clock = T0 + lots.HOUR, [T0 + lots.HOUR - 45]
    writer = scripted_store.writer_on(scripted, now=lambda: clock[0])
    looking = writer.look("x")
    bidding = writer.submit(bid(ANN, 20_00, at=ends_at - 40))
    clock[0] = ends_at + 60
    writer.start()

    entry, seen = await asyncio.gather(bidding, looking)

    assert (entry.kind, entry.at, seen.status) == ("bid", ends_at - 40, rules.Status.OPEN)
    await writer.stop()


@pytest.mark.parametrize(
    ("there", "before", "after", "offset"),
    [(10.0, 9.9, 10.1, 0.0), (10.0, 9.0, 12.0, 0.0), (10.0, 10.2, 10.4, -200.0), (10.5, 10.0, 10.1, 400.0)],
)
def test_a_slow_answer_is_no_wrong_clock(there, before, after, offset):
    assert mongo.offset_ms(there, before=before, after=after) == pytest.approx(offset)


# --- a damaged auction costs only its own bids ------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["xyz", "yxz", "yzx"])
async def test_an_unreadable_entry_that_won_the_race_fails_the_bids_of_its_own_auction_only(
    writer, scripted, order
):
    await asyncio.gather(*(writer.look(a) for a in "xyz"))
    scripted.script += [Step(foreign=scripted_store.another_bid(CID, 30_00), foreign_at=order.index("x"))]
    read = scripted.read

    async def reading(places):
        places = list(places)
        if ("x", 4) in places:
            raise msgspec.ValidationError("what is this?")
        return await read(places)

    scripted.read = reading

    outcomes = await asyncio.gather(
        *(writer.submit(bid(ANN, 20_00, auction=a)) for a in order), return_exceptions=True
    )

    failed = {a for a, outcome in zip(order, outcomes, strict=True) if isinstance(outcome, Exception)}
    assert failed == {"x"}
    assert {a: scripted.head(a) for a in "yz"} == {"y": 4, "z": 4}
    assert [writer.peek(a) is None for a in "xyz"] == [True, False, False]


async def test_an_unreadable_entry_under_a_repeated_key_fails_its_own_repeat_only(writer, scripted):
    bids = [bid(ANN, 20_00, auction=a, key="mine") for a in "xyz"]
    first = await asyncio.gather(*map(writer.submit, bids))
    again = scripted_store.writer_on(scripted)
    again.start()
    find = scripted.find

    async def finding(keys):
        keys = list(keys)
        if any(key.startswith("x|") for key in keys):
            raise msgspec.ValidationError("what is this?")
        return await find(keys)

    scripted.find = finding

    of_x, *others = await asyncio.gather(*map(again.submit, bids), return_exceptions=True)

    assert isinstance(of_x, errors.Unavailable)
    assert others == first[1:]
    await again.stop()
