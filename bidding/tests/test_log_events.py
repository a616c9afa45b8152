"""Which events an entry means: for each kind of entry and each format all of them, by value and in their order."""

from typing import Any

import pytest

from auction_project.kernel import ids
from auction_project.kernel.contracts import events
from bidding.publishing import events as log_events
from bidding.rules import log
from bidding.tests import lots
from bidding.tests.lots import ANN, BEN, CID, HOUR, MINUTE, SELLER, T0, listing, open_lot

END = T0 + HOUR
LATER = T0 + 2 * HOUR
PRODUCT = "p" * 32
TITLE = "Brass sextant"


def events_of(lot: lots.Lot, action: str, *arguments: Any, **changes: Any) -> list[events.Event]:
    """The events of the entry that `action` makes. The first is its public record."""
    before = lot.state
    entry = getattr(lot, action)(*arguments, **changes)
    assert isinstance(entry, log.Entry), entry
    found = list(log_events.of_entry(before, entry, lot.state))
    assert log_events.public_record(entry, lot.state) == found[0]
    return found


def record(lot: lots.Lot, at: int) -> dict[str, Any]:
    """What the public record of the lot's last entry carries."""
    return {"auction_id": "lot", "seq": lot.state.seq, "at": at, "hash": lot.state.hash}


def notice(user_id: str, lot: lots.Lot, at: int, title: str = TITLE) -> dict[str, Any]:
    """What a private notice of the lot's last entry carries."""
    return {"user_id": user_id, "auction_id": "lot", "seq": lot.state.seq, "title": title, "at": at}


def a_sale(
    buyer: str, lot: lots.Lot, at: int, *, price: int, quantity: int = 1, bought: bool = False
) -> tuple[events.Won, events.SaleConfirmed]:
    """What a sale of the lot's last entry means: the buyer's notice, and the saga."""
    sale = {
        "sale_id": f"lot-{lot.state.seq}",
        "order_number": ids.order_number(f"lot-{lot.state.seq}"),
        "price": price,
        "currency": "EUR",
        "quantity": quantity,
    }
    won = events.Won(**notice(buyer, lot, at), **sale, bought=bought)
    line = events.SaleLine(
        product_id=PRODUCT,
        quantity=sale.pop("quantity"),
        price=price,
        title=TITLE,
        owner_id=lot.state.seller_id,
    )
    return won, events.SaleConfirmed(**sale, user_id=buyer, auction_id="lot", title=TITLE, lines=(line,))


def an_end(lot: lots.Lot, relist_as: str | None = None) -> events.AuctionEnded:
    return events.AuctionEnded(auction_id="lot", product_id=PRODUCT, seq=lot.state.seq, relist_as=relist_as)


# --- before the bids ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "listing_fields"),
    [
        ({}, {"format": "english", "quantity": 1, "allocate": "on_listing"}),
        (
            {"format": "buy_now", "quantity": 3, "allocate": "on_sale"},
            {"format": "buy_now", "quantity": 3, "allocate": "on_sale"},
        ),
        (
            {"relist_of": "lot-before", "as_operator": True},
            {
                "format": "english",
                "quantity": 1,
                "allocate": "on_listing",
                "relists": "lot-before",
                "as_operator": True,
            },
        ),
    ],
)
def test_a_request_is_a_public_record_and_asks_inventory_for_the_units(
    terms: dict[str, Any], listing_fields: dict[str, Any]
) -> None:
    lot = lots.Lot()

    published = events_of(lot, "request", **terms)

    plain = {"auction_id": "lot", "product_id": PRODUCT, "requested_by": SELLER, "as_operator": False}
    plain |= {"currency": "EUR", "start_price": 1000}
    assert published == [
        events.AuctionRequested(**record(lot, T0 - HOUR)),
        events.ListingRequested(**(plain | listing_fields)),
    ]


@pytest.mark.parametrize("terms", [{}, {"format": "buy_now", "quantity": 3}])
def test_a_listing_and_an_opening_are_public_records_and_nothing_else(terms: dict[str, Any]) -> None:
    lot = lots.Lot()
    lot.request(**terms)

    assert events_of(lot, "schedule") == [
        events.AuctionScheduled(**record(lot, T0 - HOUR), title=TITLE, opens_at=T0, ends_at=END)
    ]
    assert events_of(lot, "open") == [events.AuctionOpened(**record(lot, T0), ends_at=END)]


# --- bids on an English lot --------------------------------------------------------------------------------------------


def placed(lot: lots.Lot, at: int = T0 + MINUTE, **facts: Any) -> events.BidPlaced:
    plain = {"currency": "EUR", "ends_at": END, "reserve_met": True, "quantity_left": 1}
    return events.BidPlaced(**record(lot, at), **(plain | facts))


def test_a_first_bid_leads() -> None:
    lot = open_lot()

    assert events_of(lot, "bid", ANN, 40_00) == [
        placed(lot, bidder="Bidder 1", leader="Bidder 1", price=10_00, minimum=10_50, bids=1),
        events.Leading(**notice(ANN, lot, T0 + MINUTE), price=10_00, currency="EUR", ends_at=END),
    ]


def test_a_higher_bid_leads_and_the_leader_before_is_outbid() -> None:
    lot = open_lot()
    lot.bid(ANN, 40_00)

    money = {"price": 41_00, "currency": "EUR", "ends_at": END}
    assert events_of(lot, "bid", BEN, 50_00) == [
        placed(lot, bidder="Bidder 2", leader="Bidder 2", price=41_00, minimum=42_00, bids=2),
        events.Leading(**notice(BEN, lot, T0 + MINUTE), **money),
        events.Outbid(**notice(ANN, lot, T0 + MINUTE), **money, minimum=42_00),
    ]


def test_a_bid_below_the_leaders_maximum_is_outbid_itself() -> None:
    lot = open_lot(reserve=60_00)
    lot.bid(ANN, 40_00)

    assert events_of(lot, "bid", BEN, 30_00) == [
        placed(
            lot,
            bidder="Bidder 2",
            leader="Bidder 1",
            price=31_00,
            minimum=32_00,
            bids=2,
            reserve_met=False,
        ),
        events.Outbid(
            **notice(BEN, lot, T0 + MINUTE),
            price=31_00,
            currency="EUR",
            ends_at=END,
            minimum=32_00,
            own_bid=True,
        ),
    ]


def test_a_late_bid_also_moves_the_end() -> None:
    lot = open_lot()
    at, end = END - 1, END - 1 + 2 * MINUTE

    assert events_of(lot, "bid", ANN, 40_00, at=at) == [
        placed(
            lot, at, bidder="Bidder 1", leader="Bidder 1", price=10_00, minimum=10_50, bids=1, ends_at=end
        ),
        events.AuctionExtended(**record(lot, at), ends_at=end, previous_ends_at=END),
        events.Leading(**notice(ANN, lot, at), price=10_00, currency="EUR", ends_at=end),
    ]


def test_a_changed_maximum_is_a_public_record_without_a_notice() -> None:
    lot = open_lot(reserve=45_00)
    lot.bid(ANN, 40_00)

    assert events_of(lot, "bid", ANN, 50_00) == [
        events.MaximumChanged(
            **record(lot, T0 + MINUTE),
            price=45_00,
            currency="EUR",
            minimum=46_00,
            leader="Bidder 1",
            bids=1,
            ends_at=END,
            reserve_met=True,
        )
    ]


# --- the end of an English lot -----------------------------------------------------------------------------------------


def closed(lot: lots.Lot, **facts: Any) -> events.AuctionClosed:
    return events.AuctionClosed(**record(lot, END + 50), currency="EUR", **facts)


def test_a_close_sells_to_the_winner_and_tells_the_next_in_line() -> None:
    lot = open_lot()
    lot.bid(ANN, 80_00)
    lot.bid(BEN, 70_00)
    lot.bid(CID, 75_00)

    assert events_of(lot, "close") == [
        closed(lot, winner="Bidder 1", price=76_00, reserve_met=True),
        *a_sale(ANN, lot, END + 50, price=76_00),
        events.NextInLine(**notice(CID, lot, END + 50), price=76_00, next_price=71_00, currency="EUR"),
    ]


def test_a_close_with_one_bidder_has_no_next_in_line() -> None:
    lot = open_lot()
    lot.bid(ANN, 80_00)

    assert events_of(lot, "close") == [
        closed(lot, winner="Bidder 1", price=10_00, reserve_met=True),
        *a_sale(ANN, lot, END + 50, price=10_00),
    ]


@pytest.mark.parametrize(
    ("maximum", "missed_by_percent"),
    [(99_99, 5), (95_00, 5), (94_99, 10), (80_00, 25), (60_00, 50), (49_00, 100)],
)
def test_a_close_below_the_reserve_tells_the_highest_bidder_alone_by_how_much(
    maximum: int, missed_by_percent: int
) -> None:
    lot = open_lot(reserve=100_00)
    lot.bid(BEN, 20_00)
    lot.bid(ANN, maximum)

    money = {"price": 20_50, "currency": "EUR"}
    assert events_of(lot, "close") == [
        closed(lot, winner="", price=20_50, reserve_met=False),
        events.NotSold(
            **notice(ANN, lot, END + 50), **money, highest=True, missed_by_percent=missed_by_percent
        ),
        events.NotSold(**notice(BEN, lot, END + 50), **money),
        events.LotUnsold(**notice(SELLER, lot, END + 50), bids=2, reserve_met=False),
        an_end(lot),
    ]


def test_a_close_without_a_bid_is_a_notice_to_the_seller_alone() -> None:
    lot = open_lot()

    assert events_of(lot, "close") == [
        closed(lot, winner="", price=0, reserve_met=True),
        events.LotUnsold(**notice(SELLER, lot, END + 50), bids=0, reserve_met=True),
        an_end(lot),
    ]


def test_the_house_gets_no_notice_of_its_own_lots() -> None:
    unsold, sold, cancelled = (open_lot(seller_id=ids.HOUSE) for _ in range(3))
    sold.bid(ANN, 20_00)
    sold.close()

    assert events_of(unsold, "close") == [
        closed(unsold, winner="", price=0, reserve_met=True),
        an_end(unsold),
    ]
    assert events_of(sold, "settle", "lot-5") == [
        events.LotSettled(**record(sold, LATER), sale_id="lot-5", ended=True),
        an_end(sold),
    ]
    assert events_of(cancelled, "cancel", "operator") == [
        events.AuctionWithdrawn(**record(cancelled, T0 + MINUTE), reason="It broke."),
        an_end(cancelled),
    ]


def three_bidders(**changes: Any) -> lots.Lot:
    """ANN 80, BEN 70, CID 20; closed: ANN buys at 71.00 (sale lot-7)."""
    lot = open_lot(**changes)
    for bidder, maximum in ((CID, 20_00), (BEN, 70_00), (ANN, 80_00)):
        lot.bid(bidder, maximum)
    lot.close()
    return lot


def test_a_sale_that_is_paid_later_starts_no_saga_and_says_until_when() -> None:
    lot = open_lot(pay_within_ms=24 * HOUR)
    for bidder, maximum in ((CID, 20_00), (BEN, 70_00), (ANN, 80_00)):
        lot.bid(bidder, maximum)
    sale = {"sale_id": "lot-7", "order_number": ids.order_number("lot-7")}
    pay_by_at = END + 50 + 24 * HOUR

    _, won, awarded, in_line = events_of(lot, "close")

    assert won == events.Won(
        **notice(ANN, lot, END + 50), **sale, price=71_00, currency="EUR", pay_by_at=pay_by_at
    )
    assert awarded == events.SaleAwarded(
        **sale,
        user_id=ANN,
        auction_id="lot",
        currency="EUR",
        line=events.SaleLine(product_id=PRODUCT, quantity=1, price=71_00, title=TITLE, owner_id=SELLER),
        pay_by_at=pay_by_at,
    )
    assert isinstance(in_line, events.NextInLine)


def test_a_buyer_who_was_to_pay_later_reads_that_the_lot_is_paid() -> None:
    lot = three_bidders(pay_within_ms=24 * HOUR)

    published = events_of(lot, "settle", "lot-7")

    assert published[1] == events.LotPaid(
        **notice(ANN, lot, LATER), sale_id="lot-7", price=71_00, currency="EUR"
    )


def test_a_sale_that_was_not_paid_in_time_goes_to_the_runner_up_who_gets_the_same_time() -> None:
    lot = three_bidders(pay_within_ms=24 * HOUR)

    published = events_of(lot, "fail", "lot-7", "unpaid")

    [awarded] = [event for event in published if isinstance(event, events.SaleAwarded)]
    assert (awarded.user_id, awarded.line.price) == (BEN, 20_50)
    assert awarded.pay_by_at == lot.entries[-1].at + 24 * HOUR


def test_a_settled_sale_is_a_notice_to_the_seller_and_to_all_who_lost() -> None:
    lot = three_bidders()

    assert events_of(lot, "settle", "lot-7") == [
        events.LotSettled(**record(lot, LATER), sale_id="lot-7", ended=True),
        events.LotSold(**notice(SELLER, lot, LATER), sale_id="lot-7", price=71_00, currency="EUR"),
        events.Lost(**notice(BEN, lot, LATER), price=71_00, currency="EUR"),
        events.Lost(**notice(CID, lot, LATER), price=71_00, currency="EUR"),
        an_end(lot),
    ]


def test_a_failed_sale_with_a_runner_up_begins_the_next_sale() -> None:
    lot = three_bidders()

    assert events_of(lot, "fail", "lot-7") == [
        events.LotSaleFailed(
            **record(lot, LATER),
            sale_id="lot-7",
            next="runner_up",
            quantity_left=0,
            ended=False,
            leader="Bidder 2",
            price=20_50,
            currency="EUR",
        ),
        *a_sale(BEN, lot, LATER, price=20_50),
        events.NextInLine(**notice(CID, lot, LATER), price=20_50, next_price=10_00, currency="EUR"),
    ]


def test_a_failed_sale_without_a_runner_up_ends_the_lot_and_names_its_next_listing() -> None:
    lot = open_lot(reserve=75_00)
    lot.bid(BEN, 70_00)
    lot.bid(ANN, 80_00)
    lot.close()

    published = events_of(lot, "fail", "lot-6")

    relist_as = ids.relisted_auction_id("lot", 7)
    assert published == [
        events.LotSaleFailed(
            **record(lot, LATER),
            sale_id="lot-6",
            next="relist",
            quantity_left=0,
            ended=True,
            leader="",
            price=10_00,
            currency="EUR",
        ),
        events.NotSold(
            **notice(BEN, lot, LATER), price=10_00, currency="EUR", highest=True, missed_by_percent=10
        ),
        events.LotUnsold(**notice(SELLER, lot, LATER), bids=2, reserve_met=False, relisted=True),
        an_end(lot, relist_as),
    ]


def test_a_sale_that_fails_without_the_buyers_fault_ends_the_lot_unsold() -> None:
    lot = three_bidders()

    assert events_of(lot, "fail", "lot-7", "stock_refused") == [
        events.LotSaleFailed(
            **record(lot, LATER),
            sale_id="lot-7",
            next="nothing",
            quantity_left=0,
            ended=True,
            leader="",
            price=71_00,
            currency="EUR",
        ),
        events.NotSold(**notice(BEN, lot, LATER), price=71_00, currency="EUR", highest=True),
        events.NotSold(**notice(CID, lot, LATER), price=71_00, currency="EUR"),
        events.LotUnsold(**notice(SELLER, lot, LATER), bids=3, reserve_met=True),
        an_end(lot),
    ]


# --- cancelled ---------------------------------------------------------------------------------------------------------


def withdrawn(lot: lots.Lot) -> events.AuctionWithdrawn:
    return events.AuctionWithdrawn(**record(lot, T0 + MINUTE), reason="It broke.")


def cancellation(
    user_id: str, lot: lots.Lot, *, title: str = TITLE, sale_pending: bool = False
) -> events.AuctionCancelled:
    return events.AuctionCancelled(
        **notice(user_id, lot, T0 + MINUTE, title), reason="It broke.", sale_pending=sale_pending
    )


def test_a_cancelled_english_lot_is_a_notice_to_its_seller_and_each_bidder() -> None:
    lot = open_lot()
    lot.bid(BEN, 20_00)
    lot.bid(ANN, 30_00)

    assert events_of(lot, "cancel", "operator") == [
        withdrawn(lot),
        *(cancellation(user_id, lot) for user_id in (SELLER, ANN, BEN)),
        an_end(lot),
    ]


def test_a_lot_that_inventory_refuses_has_no_seller_so_the_notice_goes_to_the_user_who_requested_it() -> None:
    lot = lots.Lot()
    lot.request()

    assert events_of(lot, "cancel", "inventory") == [
        withdrawn(lot),
        cancellation(SELLER, lot, title=""),
        an_end(lot),
    ]


def test_a_cancelled_listing_is_a_notice_to_its_seller_and_the_buyers_whose_sale_is_under_way() -> None:
    lot = listing(quantity=3)
    lot.bid(ANN)
    lot.bid(BEN)
    lot.settle("lot-4", at=T0 + MINUTE)

    assert events_of(lot, "cancel", "operator") == [
        withdrawn(lot),
        cancellation(SELLER, lot),
        cancellation(BEN, lot, sale_pending=True),
    ]


# --- a listing ---------------------------------------------------------------------------------------------------------


def test_a_purchase_is_a_bid_and_a_sale() -> None:
    lot = listing(quantity=3)

    assert events_of(lot, "bid", ANN, quantity=2) == [
        placed(
            lot,
            bidder="Bidder 1",
            leader="",
            price=10_00,
            minimum=10_00,
            bids=1,
            quantity_left=1,
            quantity=2,
            sale_id="lot-4",
        ),
        *a_sale(ANN, lot, T0 + MINUTE, price=20_00, quantity=2, bought=True),
    ]


def test_a_sold_out_listing_ends_once_no_sale_is_under_way() -> None:
    pending, paid = listing(quantity=9), listing(quantity=9)
    for lot in (pending, paid):
        lot.bid(ANN)
    paid.settle("lot-4", at=T0 + MINUTE)

    assert events_of(pending, "cancel", "inventory", stock_version=8) == [
        events.AuctionSoldOut(**record(pending, T0 + MINUTE), ended=False)
    ]
    assert events_of(paid, "cancel", "inventory", stock_version=8) == [
        events.AuctionSoldOut(**record(paid, T0 + MINUTE), ended=True),
        an_end(paid),
    ]


def test_a_closed_listing_ends_unless_a_sale_is_under_way() -> None:
    unsold, pending, sold = (listing(quantity=3) for _ in range(3))
    pending.bid(ANN)
    sold.bid(ANN)
    sold.settle("lot-4", at=T0 + MINUTE)
    facts = {"winner": "", "price": 10_00, "reserve_met": True}

    assert events_of(unsold, "close") == [
        closed(unsold, **facts),
        events.LotUnsold(**notice(SELLER, unsold, END + 50), bids=0, reserve_met=True),
        an_end(unsold),
    ]
    assert events_of(pending, "close") == [closed(pending, **facts)]
    assert events_of(sold, "close") == [closed(sold, **facts), an_end(sold)]


def test_a_listing_ends_with_its_last_settled_sale() -> None:
    lot = listing(quantity=3)
    lot.bid(ANN, quantity=2)
    lot.bid(BEN)

    assert events_of(lot, "settle", "lot-4") == [
        events.LotSettled(**record(lot, LATER), sale_id="lot-4", ended=False),
        events.LotSold(
            **notice(SELLER, lot, LATER), sale_id="lot-4", price=20_00, currency="EUR", quantity=2
        ),
    ]
    assert events_of(lot, "settle", "lot-5") == [
        events.LotSettled(**record(lot, LATER), sale_id="lot-5", ended=True),
        events.LotSold(**notice(SELLER, lot, LATER), sale_id="lot-5", price=10_00, currency="EUR"),
        an_end(lot),
    ]


@pytest.mark.parametrize(
    ("reason", "follows", "left"), [("payment_refused", "back_on_sale", 2), ("stock_refused", "nothing", 0)]
)
def test_a_failed_sale_of_a_listing_gives_the_units_back_when_the_buyer_failed_and_else_ends_it(
    reason: str, follows: Any, left: int
) -> None:
    lot = listing(quantity=2)
    lot.bid(ANN, quantity=2)

    published = events_of(lot, "fail", "lot-4", reason, at=T0 + MINUTE)

    failed = events.LotSaleFailed(
        **record(lot, T0 + MINUTE),
        sale_id="lot-4",
        next=follows,
        quantity_left=left,
        ended=not left,
        leader="",
        price=10_00,
        currency="EUR",
    )
    end = [events.LotUnsold(**notice(SELLER, lot, T0 + MINUTE), bids=1, reserve_met=True), an_end(lot)]
    assert published == ([failed] if left else [failed, *end])


# --- their names -------------------------------------------------------------------------------------------------------


def test_an_event_is_named_by_its_entry_its_type_and_its_reader() -> None:
    lot = open_lot()
    lot.bid(ANN, 40_00)
    before = lot.state
    entry = lot.bid(BEN, 50_00)
    assert isinstance(entry, log.Entry)

    names = [log_events.event_id(entry, event) for event in log_events.of_entry(before, entry, lot.state)]

    assert names == ["lot:5:BidPlaced", f"lot:5:Leading:{BEN}", f"lot:5:Outbid:{ANN}"]
