"""What the tests of the relay share: logs written as some writer's batches, and what came out of the transport."""

import time

from auction_project.kernel import contracts, instants
from auction_project.kernel.contracts import events
from bidding import rules
from bidding.store import auctions
from bidding.tests import lots
from bidding.tests.lots import ANN, BEN, T0


class Log:
    def __init__(self, bid_log):
        self.store = bid_log.current().store
        self.call = bid_log.call

    def register(self, writer="w", number=0):
        now = instants.now()
        self.call(self.store.writers.register(writer, batch_number=number, now=now))

    def append(self, entries, *, batch="w:1"):
        for auction_id in sorted({entry.auction_id for entry in entries}):
            self.call(self.store.auctions.insert(document(auction_id)))
        for start in range(0, len(entries), 100):
            bulk = entries[start : start + 100]
            assert self.call(self.store.bids.append(bulk, batch=batch)).stored == len(bulk)

    def document(self, auction_id):
        return self.call(self.store.auctions.get(auction_id))


def document(auction_id):
    return auctions.AuctionDocument(
        id=auction_id,
        product_id="p",
        requested_by=lots.SELLER,
        format="english",
        currency="EUR",
        starts_at=T0,
        ends_at=T0,
        created_at=T0,
        due_at=T0,
    )


def published(transport, auction_id):
    """The seqs of the public records of an auction, in the order in which they came."""
    seqs = []
    for record in transport.read("auction.log"):
        _, event = contracts.decode(record.value)
        if event.auction_id == auction_id and not isinstance(event, events.AuctionExtended):
            seqs.append(event.seq)
    return seqs


def bids_on(auction_id, count, **changes):
    lot = lots.open_lot(auction_id, **changes)
    for i in range(count):
        lot.bid((ANN, BEN)[i % 2], 20_00 + i * 100_00, at=T0 + i)
    return lot


def step_until(relay, condition, seconds=15.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the relay did not get there"
        relay.step()


def resealed(entries):
    """The same facts with other times, chained anew."""
    prev, chain = rules.GENESIS, []
    for entry in entries:
        names = ("auction_id", "seq", "at", "actor", "key", "request", "facts", "hidden", "correlation_id")
        sealed = rules.log.seal(prev=prev, **{name: getattr(entry, name) for name in names})
        chain.append(sealed)
        prev = sealed.hash
    return chain
