"""What is done to an auction besides bidding: keys that never equal those of bids, late repeats, relisting; and the standing
of each bidder afterwards."""

from typing import get_args

import pytest

from auction_project.kernel import errors, instants
from auction_project.kernel.contracts import events
from bidding import presentation, rules, runtime, services
from bidding.rules import commands
from bidding.tests import lots
from bidding.tests.lots import ANN, BEN, CID, OPERATOR, T0
from bidding.tests.running import open_auction, received

AUCTION = "1" * 32


def cancel(reason: str, actor: str = OPERATOR) -> rules.Entry:
    return services.cancel_auction(
        auction_id=AUCTION, actor=actor, by_operator=True, reason=reason, now=runtime.look(AUCTION).at
    )


def place(actor: str, key: str) -> rules.Entry | rules.Refusal:
    state = runtime.look(AUCTION)
    return runtime.submit(
        commands.PlaceBid(
            auction_id=AUCTION,
            actor=actor,
            key=key,
            at=state.at,
            salt="s",
            amount=rules.formats.of(state).minimum(state),
            has_card=True,
            currency="EUR",
        )
    )


@pytest.mark.parametrize("key", ["open", "cancel"])
def test_no_key_of_a_bid_is_in_the_way_of_cancelling(bid_log, key):
    open_auction(AUCTION)
    assert place(OPERATOR, key).kind == "bid"

    assert cancel("It broke.").facts.reason == "It broke."


def test_a_repeated_cancellation_gets_the_same_answer_and_another_reason_comes_too_late(bid_log):
    open_auction(AUCTION)
    first = cancel("It broke.")

    assert cancel("It broke.") == first
    with pytest.raises(errors.Conflict) as caught:
        cancel("It was stolen.")
    assert (caught.value.code, runtime.look(AUCTION).seq) == ("wrong_status", first.seq)


def test_a_lot_that_inventory_refuses_says_why_in_a_sentence(bid_log):
    services.request_auction(
        auction_id=AUCTION, actor=lots.SELLER, key="mine", terms=lots.terms(), reserve=None, now=T0
    )

    refused = events.LotRefused(auction_id=AUCTION, product_id="p" * 32, reason="not_owner")
    services.follow_inventory([received(refused, event_id="e1")], now=T0 + 1)

    state = runtime.look(AUCTION)
    assert (state.status, state.reason) == ("CANCELLED", "The product belongs to another seller.")


def test_a_request_that_is_repeated_after_the_end_gets_its_first_answer(bid_log):
    request = {
        "auction_id": AUCTION,
        "actor": lots.SELLER,
        "key": "mine",
        "terms": lots.terms(),
        "reserve": None,
    }
    first = services.request_auction(**request, now=T0)

    assert services.request_auction(**request, now=T0 + 2 * lots.HOUR) == first
    with pytest.raises(errors.KeyReused):
        services.request_auction(**request | {"terms": lots.terms(start_price=7)}, now=T0 + 2 * lots.HOUR)
    with pytest.raises(errors.Invalid):
        services.request_auction(**request | {"key": "new", "auction_id": "2" * 32}, now=T0 + 2 * lots.HOUR)
    assert runtime.call(runtime.current().store.auctions.all_ids()) == [AUCTION]


def test_a_relisted_lot_has_its_hard_stop_as_long_after_its_end_as_before(bid_log):
    soft = rules.SoftClose(hard_stop_at=T0 + lots.HOUR + lots.MINUTE)
    services.request_auction(
        auction_id=AUCTION,
        actor=lots.SELLER,
        key="k",
        terms=lots.terms(soft_close=soft),
        reserve=None,
        now=T0,
    )

    services.relist_auctions([received(ended(AUCTION, "2" * 32), event_id="e")], now=T0 + 5 * lots.HOUR)

    again = runtime.look("2" * 32).known_terms
    assert (again.starts_at, again.ends_at) == (T0 + 5 * lots.HOUR, T0 + 6 * lots.HOUR)
    assert again.soft_close.hard_stop_at == T0 + 6 * lots.HOUR + lots.MINUTE


def ended(auction_id, relist_as):
    return events.AuctionEnded(auction_id=auction_id, product_id="p" * 32, seq=1, relist_as=relist_as)


def test_a_run_of_ended_lots_is_listed_again_by_one_bulk_and_a_repeat_adds_nothing(bid_log, monkeypatch):
    names = [f"{i:032d}" for i in range(20)]
    for name in names:
        services.request_auction(
            auction_id=name, actor=lots.SELLER, key="k", terms=lots.terms(), reserve=None, now=T0
        )
    run = [received(ended(name, f"f{name[1:]}"), event_id=f"e-{name}") for name in names]
    run.append(received(ended(names[0], None), event_id="not again"))
    bulks = count_bulks(monkeypatch)

    services.relist_auctions(run, now=T0 + 5 * lots.HOUR)
    services.relist_auctions(run, now=T0 + 6 * lots.HOUR)

    assert bulks == [20]
    again = [runtime.look(f"f{name[1:]}").known_terms for name in names]
    assert {(terms.relist_of, terms.starts_at) for terms in again} == {
        (name, T0 + 5 * lots.HOUR) for name in names
    }


@pytest.mark.parametrize("hard_stop_at", [T0 + lots.HOUR - 1, 0])
def test_a_hard_stop_before_the_end_is_refused(hard_stop_at):
    lot = lots.Lot()

    refusal = lot.request(soft_close=rules.SoftClose(hard_stop_at=hard_stop_at))

    assert (refusal.rule, refusal.field, lot.entries) == ("terms_invalid", "soft_close.hard_stop_at", [])


def test_a_lot_whose_units_are_gone_is_cancelled_and_one_that_is_not_listed_yet_is_none(bid_log):
    auction_id = open_auction("4" * 32)

    lost = [
        events.LotStockLost(
            auction_id=lot, product_id="p" * 32, quantity=1, reason="The glass broke.", version=9
        )
        for lot in (auction_id, "5" * 32)
    ]
    services.follow_inventory([received(event, event_id="loss") for event in lost], now=instants.now())

    state = runtime.look(auction_id)
    assert (state.status, state.reason, state.ended) == ("CANCELLED", "The glass broke.", True)


def count_bulks(monkeypatch):
    """The number of entries of each bulk from now on."""
    append, bulks = runtime.current().store.bids.append, []

    async def count(entries, *, batch):
        bulks.append(len(entries))
        return await append(entries, batch=batch)

    monkeypatch.setattr(runtime.current().store.bids, "append", count)
    return bulks


def accepted(auction_id):
    return events.LotAccepted(
        auction_id=auction_id,
        product_id="p" * 32,
        owner_id=lots.SELLER,
        title="Sextant",
        text="",
        thumbnail="",
        version=1,
    )


def test_a_run_of_events_is_one_bulk_and_a_member_that_fails_costs_no_other(bid_log, monkeypatch):
    names = [f"{i:032d}" for i in range(20)]
    for name in names:
        services.request_auction(
            auction_id=name, actor=lots.SELLER, key="k", terms=lots.terms(), reserve=None, now=T0 - 1
        )
    run = [received(accepted(name), event_id=f"e-{name}") for name in [*names, "no such lot", names[0]]]
    bulks = count_bulks(monkeypatch)
    with pytest.raises(errors.NotFound):
        services.follow_inventory(run, now=T0 - 1)

    assert bulks == [20]
    assert {runtime.look(name).status for name in names} == {rules.Status.SCHEDULED}
    services.follow_inventory(run[:20], now=T0 - 1)
    assert {runtime.look(name).seq for name in names} == {2}


def test_a_lot_whose_start_has_passed_opens_with_its_listing_and_without_the_clock(bid_log):
    now = instants.now()
    for name, starts_at in ((AUCTION, now), ("2" * 32, now + lots.HOUR)):
        terms = lots.terms(starts_at=starts_at, ends_at=now + 2 * lots.HOUR)
        services.request_auction(
            auction_id=name, actor=lots.SELLER, key="k", terms=terms, reserve=None, now=now
        )

    services.follow_inventory(
        [received(accepted(name), event_id=name) for name in (AUCTION, "2" * 32)], now=now
    )

    entries = runtime.call(runtime.current().store.bids.read([(AUCTION, 3), ("2" * 32, 3)]))
    assert [(key, entry.kind) for key, entry in entries.items()] == [((AUCTION, 3), "opened")]
    due_at = runtime.call(runtime.current().store.auctions.due(before=now + 2 * lots.HOUR, limit=9))
    assert due_at == [("2" * 32, now + lots.HOUR)]


def test_what_inventory_reports_of_a_product_keeps_its_order_within_a_run(bid_log):
    terms = lots.terms(format="buy_now", quantity=3, allocate="on_sale")
    services.request_auction(
        auction_id=AUCTION, actor=lots.SELLER, key="k", terms=terms, reserve=None, now=T0 - 1
    )
    depleted = events.StockDepleted(
        product_id="p" * 32, version=2, title="Sextant", on_hand=0, available=0, reserved=0, committed=0
    )

    services.follow_inventory(
        [received(accepted(AUCTION), event_id="a"), received(depleted, event_id="d")], now=T0 - 1
    )

    state = runtime.look(AUCTION)
    assert (state.status, state.reason, state.seq) == ("CANCELLED", "Sold out.", 3)


def test_a_run_of_reports_keeps_the_newest_of_each_product_with_the_sales_of_all(bid_log):
    figures = {"title": "Sextant", "on_hand": 9, "reserved": 0, "committed": 0}
    reported = [("x", 3, 7, "s3"), ("x", 2, 8, "s2"), ("y", 5, 1, None), ("x", 4, 6, "s4")]
    services.record_stock(
        [
            events.StockChanged(product_id=name, version=version, available=left, sale_id=sale, **figures)
            for name, version, left, sale in reported
        ]
    )

    stored = runtime.call(runtime.current().store.reports.stock_of(["x", "y"]))
    assert {name: (s.version, s.available, s.reserved) for name, s in stored.items()} == {
        "x": (4, 6, ("s2", "s3", "s4")),
        "y": (5, 1, ()),
    }


# --- the standing of each bidder -------------------------------------------------------------------------------------------


def words(lot: lots.Lot, *users: str) -> list[str]:
    assert rules.load(rules.dump(lot.state)) == lot.state == lot.replayed()
    return [str(presentation.standing(lot.state, user)["standing"]) for user in users]


def test_a_runner_up_who_paid_has_won_and_the_winner_who_did_not_has_not():
    lot = lots.open_lot()
    lot.bid(ANN, 30_00)
    lot.bid(BEN, 50_00)
    lot.close()

    assert words(lot, ANN, BEN, CID) == ["next_in_line", "won", "none"]
    lot.fail("lot-6")
    assert words(lot, ANN, BEN) == ["won", "failed"]
    lot.settle("lot-7")
    assert words(lot, ANN, BEN) == ["won", "failed"]


def test_a_buyer_has_bought_until_the_sale_is_undone():
    listing = lots.listing()
    listing.bid(ANN)
    listing.bid(BEN)
    listing.settle("lot-4")
    listing.fail("lot-5")

    assert words(listing, ANN, BEN) == ["bought", "failed"]


def test_each_refusal_of_a_lot_has_its_words():
    assert services._REFUSED.keys() == set(get_args(events.LotRefusal))
