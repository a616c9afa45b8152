"""The committer on a store that conflicts, tears, hangs and lies. In each case there is no gap and no double, every
acknowledged entry is stored, a repeat gets the same answer, and a refusal was decided at a state that was current."""

import asyncio

import msgspec
import pytest

from auction_project.kernel import errors
from bidding.rules import commands, kinds
from bidding.tests import lots, scripted_store
from bidding.tests.lots import ANN, BEN, CID, DOT, T0, bid
from bidding.tests.scripted_store import Step
from bidding.writer import committer, failures

pytestmark = pytest.mark.virtual_time
NOW = scripted_store.NOW


def is_stored(scripted, entry):
    return scripted.entries.get((entry.auction_id, entry.seq)) == entry


# --- a store that works ---------------------------------------------------------------------------------------------


async def test_an_accepted_command_is_one_stored_entry(writer, scripted):
    entry = await writer.submit(bid(ANN, 20_00))

    assert (entry.seq, entry.facts.price, is_stored(scripted, entry)) == (4, 10_00, True)
    assert scripted.head("x") == 4


async def test_what_gathers_goes_in_one_bulk(writer, scripted):
    await asyncio.gather(
        *(writer.submit(bid(ANN, 20_00 + i * 1000, auction=a, key=f"{i}")) for i in range(50) for a in "xyz")
    )

    assert [len(entries) for _, entries in scripted.appends] == [150]
    assert [scripted.head(a) for a in "xyz"] == [53, 53, 53]


async def test_a_bulk_is_never_larger_than_1000(writer, scripted):
    await asyncio.gather(*(writer.submit(bid(ANN, 20_00 + i, key=f"{i}")) for i in range(2500)))

    assert [len(entries) for _, entries in scripted.appends] == [1000, 1000, 500]


async def test_bulks_shrink_on_a_slow_store_and_grow_again(writer, scripted):
    async def sizes(count, first):
        scripted.appends.clear()
        await asyncio.gather(*(writer.submit(bid(ANN, first + i, key=f"{first}-{i}")) for i in range(count)))
        return [len(entries) for _, entries in scripted.appends]

    scripted.seconds_per_entry = 0.5 / 800
    assert await sizes(800, 20_00) == [800]
    assert await sizes(800, 40_00) == [400, 400]
    scripted.seconds_per_entry = 0.0
    assert await sizes(1500, 60_00) == [400, 800, 300]


async def test_batches_are_numbered_from_one_and_the_writer_is_registered_before_its_first(writer, scripted):
    await writer.submit(bid(ANN, 20_00, key="1"))
    await writer.submit(bid(BEN, 30_00, key="2"))

    assert scripted.registered == [(writer.incarnation, 0)]
    assert [batch for batch, _ in scripted.appends] == [f"{writer.incarnation}:1", f"{writer.incarnation}:2"]


async def test_an_unknown_auction_is_not_found(writer):
    with pytest.raises(errors.NotFound):
        await writer.submit(bid(ANN, 20_00, auction="nowhere"))


async def test_a_look_answers_the_state_after_what_was_asked_before_it(writer):
    placed, state = await asyncio.gather(writer.submit(bid(ANN, 20_00)), writer.look("x"))

    assert (state.seq, state.hash, state.leader) == (placed.seq, placed.hash, ANN)


async def test_a_writer_that_meets_a_due_auction_closes_it_first(writer, scripted):
    late = await writer.submit(bid(ANN, 20_00, at=T0 + lots.HOUR + 50))

    assert lots.refusal(late) == ("auction_closed", {"ends_at": T0 + lots.HOUR})
    assert (late.seq, [entry.kind for entry in scripted.log_of("x")]) == (
        4,
        ["requested", "scheduled", "opened", "closed"],
    )


async def test_a_bid_within_the_grace_after_the_end_is_refused_without_closing(writer, scripted):
    late = await writer.submit(bid(ANN, 20_00, at=T0 + lots.HOUR + 49))

    assert lots.refusal(late) == ("auction_closed", {"ends_at": T0 + lots.HOUR})
    assert scripted.head("x") == 3


# --- keys ----------------------------------------------------------------------------------------------------------


async def test_a_repeat_that_the_rules_would_accept_gets_the_stored_answer(writer, scripted):
    first = await writer.submit(bid(ANN, 20_00, key="1"))
    await writer.submit(bid(BEN, 15_00, key="2"))

    repeat = await writer.submit(bid(ANN, 20_00, key="1", salt="fresh", at=NOW + 5))

    assert (repeat, scripted.head("x")) == (first, 5)


async def test_a_repeat_that_the_rules_would_refuse_gets_the_stored_answer(writer, scripted):
    first = await writer.submit(bid(ANN, 20_00, key="1"))
    await writer.submit(bid(BEN, 50_00, key="2"))

    assert await writer.submit(bid(ANN, 20_00, key="1", salt="fresh")) == first
    assert scripted.head("x") == 5


@pytest.mark.parametrize("amount", [15_00, 99_00])
async def test_a_key_with_another_body_is_refused_whether_the_rules_like_it_or_not(writer, scripted, amount):
    await writer.submit(bid(ANN, 20_00, key="1"))
    await writer.submit(bid(BEN, 30_00, key="2"))

    with pytest.raises(errors.KeyReused) as caught:
        await writer.submit(bid(ANN, amount, key="1"))

    assert (caught.value.http_status, scripted.head("x")) == (422, 5)


async def test_the_same_key_is_free_for_another_bidder_and_in_another_auction(writer):
    outcomes = await asyncio.gather(
        writer.submit(bid(ANN, 20_00)),
        writer.submit(bid(BEN, 30_00)),
        writer.submit(bid(ANN, 20_00, auction="y")),
    )

    assert [(o.auction_id, o.seq) for o in outcomes] == [("x", 4), ("x", 5), ("y", 4)]


async def test_a_refusal_binds_no_key(writer):
    refused = await writer.submit(bid(ANN, 5_00, key="1"))

    assert lots.refusal(refused) == ("bid_too_low", {"amount": 5_00, "minimum": 10_00})
    assert (await writer.submit(bid(ANN, 20_00, key="1"))).seq == 4


async def test_a_repeat_in_flight_joins_the_first(writer, scripted):
    first, second = writer.submit(bid(ANN, 20_00)), writer.submit(bid(ANN, 20_00, salt="fresh"))

    assert first is second
    assert ((await first).seq, scripted.head("x")) == (4, 4)


async def test_another_body_in_flight_is_refused_at_once(writer):
    first = writer.submit(bid(ANN, 20_00))

    with pytest.raises(errors.KeyReused):
        await writer.submit(bid(ANN, 21_00))
    assert (await first).seq == 4


async def test_a_repeat_after_the_answer_while_the_batch_is_still_under_way_is_answered(writer, scripted):
    await writer.submit(bid(CID, 10_00, auction="y"))
    scripted.script += [Step(foreign=scripted_store.another_bid(DOT, 40_00), foreign_at=1)]
    first = writer.submit(bid(ANN, 20_00))
    other = writer.submit(bid(BEN, 90_00, auction="y"))
    await first
    assert not other.done()

    repeat = await asyncio.wait_for(writer.submit(bid(ANN, 20_00)), 1)

    assert (repeat.seq, (await other).seq) == (4, 6)


async def test_a_refused_bid_that_is_repeated_while_the_batch_is_under_way_is_decided_again(writer, scripted):
    """The refusal of x is answered in the first round; y loses its race and keeps the batch going."""
    await asyncio.gather(writer.look("x"), writer.look("y"))
    scripted.script += [Step(foreign=scripted_store.another_bid(DOT, 40_00))]
    refused = writer.submit(bid(ANN, 5_00))
    other = writer.submit(bid(BEN, 90_00, auction="y"))
    assert (await refused).rule == "bid_too_low"
    assert not other.done()

    again = await asyncio.wait_for(writer.submit(bid(ANN, 5_00)), 1)

    assert lots.refusal(again) == ("bid_too_low", {"amount": 5_00, "minimum": 10_00})


async def test_a_key_that_another_writer_used_meanwhile_gets_the_stored_answer(writer, scripted):
    scripted.script += [Step(foreign=scripted_store.same_key_elsewhere)]

    answered = await writer.submit(bid(ANN, 20_00))

    assert (answered.hidden.salt, answered.seq, is_stored(scripted, answered)) == ("other", 4, True)


async def test_a_key_that_another_writer_used_under_a_later_entry_is_found_by_its_key(writer, scripted):
    """The seq is free for us, since we know the log; only the key's index fires."""
    await writer.look("x")
    scripted.commit_elsewhere(bid(ANN, 20_00, key="1", salt="other"))
    await writer.look("x")

    repeat = await writer.submit(bid(ANN, 20_00, key="1"))

    assert (repeat.hidden.salt, repeat.seq, scripted.head("x")) == ("other", 4, 4)


# --- conflicts -----------------------------------------------------------------------------------------------------


async def test_after_a_lost_race_the_bid_is_decided_again_on_the_stored_state(writer, scripted):
    await writer.look("x")
    scripted.script += [Step(foreign=scripted_store.another_bid(BEN, 15_00))]

    entry = await writer.submit(bid(ANN, 20_00))

    assert (entry.seq, entry.facts.price, is_stored(scripted, entry)) == (5, 15_50, True)


async def test_after_a_lost_race_a_bid_that_is_too_low_now_is_refused_with_the_new_figures(writer, scripted):
    await writer.look("x")
    scripted.script += [Step(foreign=scripted_store.another_bid(BEN, 15_00))]

    refused = await writer.submit(bid(ANN, 10_00))

    assert lots.refusal(refused) == ("bid_too_low", {"amount": 10_00, "minimum": 10_50})
    assert (refused.seq, refused.hash) == (4, scripted.state_of("x").hash)


@pytest.mark.parametrize("lost_at", range(6))
async def test_a_foreign_entry_in_the_middle_of_a_bulk_costs_that_auction_a_round_and_no_bid_its_entry(
    writer, scripted, lost_at
):
    await asyncio.gather(*(writer.look(a) for a in "xyz"))
    scripted.script += [Step(foreign=scripted_store.another_bid(DOT, 99_00), foreign_at=lost_at)]

    entries = await asyncio.gather(
        *(
            writer.submit(bid(actor, 200_00 + i, auction=a, key=f"{i}"))
            for i, actor in enumerate((ANN, BEN))
            for a in "xyz"
        )
    )

    assert all(is_stored(scripted, entry) for entry in entries)
    assert sorted(scripted.head(a) for a in "xyz") == [5, 5, 6]


async def test_the_entries_of_other_auctions_go_unchanged_into_the_next_bulk(writer, scripted):
    await asyncio.gather(writer.look("x"), writer.look("y"))
    scripted.script += [Step(foreign=scripted_store.another_bid(DOT, 99_00))]

    await asyncio.gather(writer.submit(bid(ANN, 200_00)), writer.submit(bid(ANN, 200_00, auction="y")))

    first, second = (entries for _, entries in scripted.appends)
    assert [entry.auction_id for entry in first] == ["x", "y"]
    assert second[1] == first[1]


# --- refusals ------------------------------------------------------------------------------------------------------


async def test_a_refusal_decided_on_a_stale_state_is_decided_again(writer, scripted):
    """The writer thinks that DOT leads at 40.00; elsewhere the auction was cancelled meanwhile."""
    await writer.submit(bid(DOT, 40_00))
    scripted.commit_elsewhere(
        kinds.Cancel(auction_id="x", actor="op", key="c", at=NOW, salt="s", reason="Broken.", by="operator")
    )

    refused = await writer.submit(bid(ANN, 10_00, key="low"))

    assert lots.refusal(refused) == ("auction_cancelled", {"reason": "Broken."})
    assert (refused.seq, refused.hash) == (5, scripted.state_of("x").hash)


async def test_a_bid_that_only_a_stale_state_refuses_is_accepted(writer, scripted):
    """The writer knows the lot as scheduled; elsewhere it was opened early."""
    scheduled = lots.Lot("w")
    scheduled.request()
    scheduled.schedule()
    scripted.holds(scheduled.entries)
    before = T0 - lots.MINUTE
    assert (await writer.submit(bid(ANN, 20_00, auction="w", at=before))).rule == "auction_not_open"
    scripted.commit_elsewhere(
        kinds.Open(auction_id="w", actor="op", key="open", at=before, salt="s", early=True, by_operator=True)
    )

    entry = await writer.submit(bid(ANN, 20_00, auction="w", at=before + 1))

    assert (entry.seq, is_stored(scripted, entry)) == (4, True)


async def test_a_refusal_beside_a_lost_race_is_decided_again(writer, scripted):
    """ANN's 10.00 is fine at seq 3. In the same bulk DOT takes seq 4 with 40.00 elsewhere: both are decided anew."""
    await writer.look("x")
    scripted.script += [Step(foreign=scripted_store.another_bid(DOT, 40_00))]

    accepted, refused = await asyncio.gather(writer.submit(bid(ANN, 60_00)), writer.submit(bid(BEN, 11_00)))

    assert (accepted.seq, accepted.facts.price) == (5, 41_00)
    assert (*lots.refusal(refused), refused.seq) == ("bid_too_low", {"amount": 11_00, "minimum": 42_00}, 5)


# --- unknown outcomes ------------------------------------------------------------------------------------------------

UNKNOWN = {
    "nothing is stored": Step(stored=0, unknown=True),
    "all is stored": Step(unknown=True),
    "a prefix is stored": Step(stored=2, unknown=True),
    "a prefix is stored, the rest before the retry": Step(
        stored=2, rest_lands="before the retry", unknown=True
    ),
    "a prefix is stored, the rest after the retry": Step(
        stored=2, rest_lands="after the retry", unknown=True
    ),
    "nothing is stored, all lands before the retry": Step(
        stored=0, rest_lands="before the retry", unknown=True
    ),
    "nothing is stored, all lands after the retry": Step(
        stored=0, rest_lands="after the retry", unknown=True
    ),
    "a foreign entry at the first": Step(foreign=scripted_store.another_bid(DOT, 99_00), unknown=True),
    "a foreign entry in the middle": Step(
        foreign=scripted_store.another_bid(DOT, 99_00), foreign_at=3, unknown=True
    ),
    "the same key elsewhere": Step(foreign=scripted_store.same_key_elsewhere, foreign_at=2, unknown=True),
}


@pytest.mark.parametrize(
    "steps", [[a, b] for a in UNKNOWN for b in UNKNOWN], ids=lambda steps: "; ".join(steps)
)
async def test_in_each_case_every_bid_is_stored_once_and_answered_with_the_stored_entry(
    writer, scripted, steps
):
    await asyncio.gather(*(writer.look(a) for a in "xyz"))
    scripted.script += [UNKNOWN[name] for name in steps]
    bids = [
        bid(actor, 200_00 + 10_00 * i, auction=a, key=f"{i}")
        for i, actor in enumerate((ANN, BEN))
        for a in "xyz"
    ]

    entries = await asyncio.gather(*map(writer.submit, bids))

    assert all(is_stored(scripted, entry) for entry in entries)
    assert [(e.actor, e.key, e.hidden.maximum) for e in entries] == [(c.actor, c.key, c.amount) for c in bids]
    assert scripted_store.flaw(scripted) is None
    repeats = await asyncio.gather(*map(writer.submit, bids))
    assert repeats == entries


async def test_the_identical_entry_goes_to_the_same_seq_again(writer, scripted):
    scripted.script += [Step(stored=0, unknown=True)] * 3

    await writer.submit(bid(ANN, 20_00))

    (batch, entries), *others = scripted.appends
    assert others == [(batch, entries)] * 3


async def test_nothing_else_is_decided_for_the_auction_meanwhile(writer, scripted):
    scripted.script += [Step(stored=0, unknown=True)] * 2
    first = writer.submit(bid(ANN, 20_00))
    await scripted_store.until(lambda: scripted.appends)
    second = writer.submit(bid(BEN, 30_00))

    await asyncio.gather(first, second)

    assert [[entry.actor for entry in entries] for _, entries in scripted.appends] == [
        [ANN],
        [ANN],
        [ANN],
        [BEN],
    ]


# --- a store that hangs ------------------------------------------------------------------------------------------------


async def failing(future):
    """How the future fails, and after how many seconds."""
    now = asyncio.get_running_loop().time
    began = now()
    with pytest.raises(errors.Unavailable) as caught:
        await asyncio.wait_for(asyncio.shield(future), 5)
    return caught.value, now() - began


async def test_while_the_store_hangs_all_clients_get_503_within_2_s_and_it_recovers_by_itself(
    writer, scripted
):
    await writer.look("x")
    scripted.arrest()

    hanging = await asyncio.gather(
        failing(writer.submit(bid(ANN, 20_00))),
        failing(writer.look("x")),
        failing(writer.submit(bid(BEN, 20_00, auction="y"))),
    )
    later = await failing(writer.submit(bid(CID, 20_00)))

    assert all(isinstance(error, failures.StoreUnavailable) for error, _ in [*hanging, later])
    assert max(seconds for _, seconds in [*hanging, later]) < 2.0
    scripted.release()
    async with asyncio.timeout(3):
        while True:
            try:
                entry = await writer.submit(bid(CID, 60_00, key="after"))
                break
            except errors.Unavailable:
                await asyncio.sleep(0.05)
    assert is_stored(scripted, entry)


async def test_a_store_that_has_been_leaving_outcomes_open_for_long_is_answered_at_once(writer, scripted):
    await writer.look("x")
    scripted.script += [Step(stored=0, unknown=True)] * 1000
    await failing(writer.submit(bid(ANN, 20_00)))

    _, seconds = await failing(writer.submit(bid(BEN, 30_00)))

    assert seconds < 0.1
    scripted.script.clear()


async def test_a_fault_after_an_unknown_outcome_costs_its_own_batch_only(writer, scripted):
    def fail(_store, _entry):
        raise RuntimeError("a fault of the driver")

    await writer.look("x")
    scripted.script += [Step(stored=0, unknown=True), Step(foreign=fail)]
    await failing(writer.submit(bid(ANN, 20_00)))
    await asyncio.sleep(committer.ANSWER_SECONDS)

    entry = await writer.submit(bid(BEN, 30_00))

    assert (entry.seq, is_stored(scripted, entry)) == (4, True)


async def test_a_bid_that_was_answered_503_may_be_stored_and_its_repeat_finds_it(writer, scripted):
    await writer.look("x")
    scripted.script += [Step(unknown=True), *[Step(stored=0, unknown=True)] * 1000]
    await failing(writer.submit(bid(ANN, 20_00)))
    scripted.script.clear()

    await scripted_store.until(lambda: not writer.stalled)
    entry = await writer.submit(bid(ANN, 20_00))

    assert (entry.seq, scripted.head("x")) == (4, 4)


async def test_a_repeat_of_what_was_given_up_joins_the_work_that_goes_on(writer, scripted):
    await writer.look("x")
    scripted.script += [Step(stored=0, unknown=True)] * 1000
    await failing(writer.submit(bid(ANN, 20_00)))

    again = writer.submit(bid(ANN, 20_00, salt="fresh"))
    scripted.script.clear()

    assert (await asyncio.wait_for(again, 2)).hidden.salt == "salt"
    assert scripted.head("x") == 4


async def test_a_clock_that_is_off_appends_nothing(scripted):
    scripted.offset_ms = 150.0
    writer = scripted_store.writer_on(scripted)
    writer.start()

    with pytest.raises(failures.StoreUnavailable):
        await writer.submit(bid(ANN, 20_00))

    await writer.stop()
    assert (scripted.appends, scripted.head("x")) == ([], 3)


async def test_stopping_finishes_what_waits_and_takes_nothing_new(scripted):
    writer = scripted_store.writer_on(scripted)
    writer.start()
    waiting = [writer.submit(bid(ANN, 20_00 + i, key=f"{i}")) for i in range(5)]

    stopping = asyncio.create_task(writer.stop())
    await asyncio.sleep(0)
    late = writer.submit(bid(BEN, 99_00))
    await stopping

    assert [future.result().seq for future in waiting] == [4, 5, 6, 7, 8]
    assert isinstance(late.exception(), failures.StoreUnavailable)


async def test_stopping_while_the_store_hangs_leaves_no_client_waiting(scripted):
    writer = scripted_store.writer_on(scripted)
    writer.start()
    await writer.look("x")
    scripted.arrest()
    futures = [writer.submit(bid(ANN, 20_00)), writer.look("y")]

    await asyncio.wait_for(writer.stop(), 3)

    assert [type(future.exception()) for future in futures] == [failures.StoreUnavailable] * 2


# --- one bad thing among good ones -------------------------------------------------------------------------------------


async def test_an_edited_log_stops_its_own_auction_only(writer, scripted):
    untouched = scripted.entries["x", 2]
    scripted.entries["x", 2] = msgspec.structs.replace(untouched, prev="f" * 64)

    broken, fine = await asyncio.gather(
        writer.submit(bid(ANN, 20_00)), writer.submit(bid(ANN, 20_00, auction="y")), return_exceptions=True
    )

    assert (type(broken), fine.seq) == (failures.StoreUnavailable, 4)
    scripted.entries["x", 2] = untouched


async def test_a_command_that_the_rules_choke_on_fails_alone_and_its_log_line_hides_its_figures(
    writer, scripted, caplog
):
    choking = commands.PlaceBid(
        auction_id="x",
        actor=ANN,
        key="k",
        at=NOW,
        salt="the salt",
        amount="the maximum",
        currency="EUR",
        has_card=True,
        confirmed="far_above_minimum",
    )  # type: ignore[arg-type]

    broken, fine = await asyncio.gather(
        writer.submit(choking), writer.submit(bid(BEN, 20_00)), return_exceptions=True
    )

    assert (type(broken), fine.seq) == (failures.StoreUnavailable, 4)
    assert "decision_failed" in caplog.text
    assert "the salt" not in caplog.text
    assert "the maximum" not in caplog.text
