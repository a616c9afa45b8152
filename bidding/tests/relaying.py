"""What the tests of the relay share: logs written as some writer's batches, and what came out of the transport."""

import time

from auction_project.kernel import contracts, instants
from auction_project.kernel.contracts import events
from bidding import rules
from bidding.tests import stored


class Log:
    def __init__(self, bid_log):
        self.store = bid_log.current().store
        self.call = bid_log.call

    def register(self, writer="w", number=0):
        now = instants.now()
        self.call(self.store.writers.register(writer, batch_number=number, now=now))

    def append(self, entries, *, batch="w:1"):
        for auction_id in sorted({entry.auction_id for entry in entries}):
            self.call(self.store.auctions.insert(stored.a_document(auction_id)))
        for start in range(0, len(entries), 100):
            bulk = entries[start : start + 100]
            assert self.call(self.store.bids.append(bulk, batch=batch)).stored == len(bulk)

    def document(self, auction_id):
        return self.call(self.store.auctions.get(auction_id))


def published(transport, auction_id):
    """The seqs of the public records of an auction, in the order in which they came."""
    seqs = []
    for record in transport.read("auction.log"):
        _, event = contracts.decode(record.value)
        if event.auction_id == auction_id and not isinstance(event, events.AuctionExtended):
            seqs.append(event.seq)
    return seqs


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
