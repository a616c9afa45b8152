"""The table of kinds: what each event becomes, for whom, and what it replaces."""

from notifications import kinds

EVENTS = {
    "Outbid": "OUTBID",
    "Leading": "LEADING",
    "Won": "WON",
    "NextInLine": "NEXT_IN_LINE",
    "Lost": "LOST",
    "NotSold": "NOT_SOLD",
    "AuctionCancelled": "AUCTION_CANCELLED",
    "OrderConfirmed": "ORDER_CONFIRMED",
    "OrderCancelled": "ORDER_CANCELLED",
    "BidFailed": "ORDER_CANCELLED",
    "PaymentDeclined": "PAYMENT_DECLINED",
    "LotSold": "LOT_SOLD",
    "LotUnsold": "LOT_UNSOLD",
    "StockLow": "LOW_STOCK",
}


def test_each_event_is_the_source_of_one_kind() -> None:
    pairs = [(event_type.__name__, kind.name) for kind in kinds.TABLE.values() for event_type in kind.events]

    assert sorted(pairs) == sorted(EVENTS.items())
    assert {name: kind.name for name, kind in kinds.TABLE.items()} == {name: name for name in kinds.TABLE}
    assert kinds.of("LOW_STOCK").wire_name == "low_stock"


def test_a_notification_is_for_operators_or_for_one_user() -> None:
    assert [kind.name for kind in kinds.TABLE.values() if kind.is_for_operators] == ["LOW_STOCK"]
    assert all(len(kind.audience) == 1 for kind in kinds.TABLE.values() if kind.is_for_operators)


def test_a_kind_replaces_kinds_of_the_table() -> None:
    replaced = {name for kind in kinds.TABLE.values() for name in kind.replaces}

    assert replaced == {"OUTBID", "LEADING", "NEXT_IN_LINE", "WON"}
    assert replaced <= kinds.TABLE.keys()
    assert kinds.ends_of("WON") == ["ORDER_CANCELLED"]
    assert kinds.ends_of("OUTBID") == []
