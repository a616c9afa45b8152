"""What tests put into a store: whole logs, and documents of auctions."""

from bidding.store import auctions
from bidding.tests import lots
from bidding.tests.lots import ANN, BEN, T0


def bids_on(auction_id, count, **changes):
    """A whole log with `count` bids; the lot may have other terms."""
    lot = lots.open_lot(auction_id, **changes)
    for i in range(count):
        lot.bid((ANN, BEN)[i % 2], 20_00 + i * 100_00, at=T0 + i)
    return lot


def a_document(auction_id, **changes):
    plain = {
        "product_id": "p",
        "requested_by": lots.SELLER,
        "format": "english",
        "currency": "EUR",
        "starts_at": T0,
        "ends_at": T0 + lots.HOUR,
        "created_at": T0,
        "due_at": T0,
    }
    return auctions.AuctionDocument(id=auction_id, **(plain | changes))
