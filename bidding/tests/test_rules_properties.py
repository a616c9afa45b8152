"""What holds for every log that the rules can make, by hypothesis; the oracle here is deliberately naive."""

import unittest.mock

from hypothesis import given, settings
from hypothesis import strategies as st

from bidding import rules
from bidding.rules import increments, kinds, snapshots
from bidding.tests import lots
from bidding.tests.lots import ANN, BEN, CID, DOT, HOUR, SELLER, T0
from bidding.verification import judging

amounts = st.one_of(
    st.integers(9_00, 120_00), st.integers(1, 6_000_00), st.sampled_from([50_00, 60_00, 60_01])
)
bids = st.tuples(
    st.just("bid"),
    st.sampled_from([ANN, BEN, CID, DOT, SELLER]),
    amounts,
    st.integers(T0, T0 + HOUR + 60_000),
)
ends = st.tuples(
    st.sampled_from(["settle", "fail", "fail"]),
    st.integers(0, 3),
    st.sampled_from(["payment_refused", "stock_refused"]),
)
others = st.sampled_from([("close",), ("cancel",), ("open",), ("schedule",)])
english = st.lists(st.one_of(bids, bids, bids, ends, others), max_size=40)
purchases = st.tuples(st.just("buy"), st.sampled_from([ANN, BEN, CID]), st.integers(1, 3))
listings = st.lists(st.one_of(purchases, purchases, ends, others), max_size=40)


def play(lot, actions):
    """Try each action, whether the rules accept or refuse it; a number chooses the sale."""
    for action in actions:
        kind, *arguments = action
        if kind == "bid":
            lot.bid(arguments[0], arguments[1], at=arguments[2])
        elif kind == "buy":
            lot.bid(arguments[0], quantity=arguments[1])
        elif kind in ("settle", "fail"):
            undecided = sorted(lot.state.open_sales)
            if undecided:
                sale = undecided[arguments[0] % len(undecided)]
                lot.settle(sale) if kind == "settle" else lot.fail(sale, arguments[1])
        elif kind == "cancel":
            lot.cancel("operator")
        else:
            getattr(lot, kind)()
    return lot


@settings(max_examples=300)
@given(st.sampled_from([None, 60_00]), english)
def test_in_an_english_lot_the_highest_maximum_leads_and_the_price_never_falls(reserve, actions):
    lot = play(lots.open_lot(reserve=reserve), actions)

    check_log(lot)
    price, maxima = 0, {}
    for entry in lot.entries:
        if isinstance(entry.facts, kinds.Bid):
            minimum = increments.minimum_above(price) if maxima else 10_00
            assert entry.facts.price >= price, "the visible price never falls"
            price = entry.facts.price
            leader = oracle_leader(maxima)
            assert entry.hidden.maximum >= minimum or leader == entry.actor
            since = maxima[leader][1] if leader == entry.actor else entry.seq
            maxima[entry.actor] = (entry.hidden.maximum, since)
            assert lot_alias(lot, oracle_leader(maxima)) == entry.facts.leader
            assert price <= maxima[oracle_leader(maxima)][0]
        if isinstance(entry.facts, kinds.Closed):
            winner = oracle_leader(maxima)
            met = winner is not None and (reserve is None or maxima[winner][0] >= reserve)
            assert entry.facts.winner == (lot_alias(lot, winner) if met else "")
            assert entry.hidden.buyer == (winner if met else None)
    for entry in lot.entries:
        sale = getattr(entry.facts, "sale", None)
        if sale and reserve is not None:
            assert sale.price >= reserve, "a sale never goes below the reserve"


@settings(max_examples=200)
@given(st.integers(1, 6), listings)
def test_a_listing_never_sells_more_units_than_it_has(quantity, actions):
    lot = play(lots.open_lot(format="buy_now", quantity=quantity, allocate="on_sale"), actions)

    check_log(lot)
    undecided = sum(sale.quantity for sale in lot.state.open_sales.values())
    assert lot.state.sold + undecided + lot.state.quantity_left <= quantity
    assert lot.state.quantity_left >= 0


def check_log(lot):
    """A replay gives the same state, the chain holds, `dump` loses nothing, a lot ends once and nothing follows; and
    the judge of `verify` finds no violation."""
    verdicts = judging.Verdicts()
    judge = judging.Judge("lot", verdicts)
    for entry in lot.entries:
        judge.see(entry)
    judge.end()
    assert [verdicts.finding(name).violations for name in ("B2", "B3", "B5", "B6", "B7", "B9")] == [()] * 6
    assert rules.fold("lot", lot.entries) == lot.state
    assert rules.verify_chain(lot.entries) is None
    assert lot.state.selling == sum(sale.quantity for sale in lot.state.open_sales.values())
    assert rules.load(rules.dump(lot.state)) == lot.state
    check_dumps(lot)
    for entry, after in zip(lot.entries, lot.entries[1:], strict=False):
        assert after.at >= entry.at
    kinds = [entry.kind for entry in lot.entries]
    assert kinds.count("opened") <= 1
    assert kinds.count("closed") + kinds.count("cancelled") <= 1
    over = next((i for i, kind in enumerate(kinds) if kind in ("closed", "cancelled")), len(kinds))
    assert "bid" not in kinds[over:]
    ended = [i for i, entry in enumerate(lot.entries) if getattr(entry.facts, "ended", False)]
    assert ended in ([], [len(kinds) - 1])
    assert lot.state.ended is bool(ended)
    if lot.state.ended:
        assert (rules.due_at(lot.state), len(lot.state.open_sales)) == (None, 0)


def oracle_leader(maxima):
    """The highest maximum, the earliest on a tie. A leader who changes the own maximum keeps the priority."""
    return min(maxima, key=lambda user: (-maxima[user][0], maxima[user][1]), default=None)


def check_dumps(lot):
    """Dumps of what has changed give the whole state, at each entry, with pieces of two bidders; a later Dumper goes on."""
    with unittest.mock.patch.object(snapshots, "PIECE_BIDDERS", 2):
        state, dumper, stored = rules.State("lot"), rules.Dumper(rules.State("lot")), {}
        for entry in lot.entries:
            before, state = state, rules.apply(state, entry)
            dumper.note(before, [entry], state)
            dump = dumper.dump(state)
            assert len(dump.pieces) <= 2
            stored |= dump.pieces
            dumper.saved_at = dump.saved_at
            pieces = tuple(stored[number] for number in range(len(dump.saved_at)))
            assert rules.load(rules.Snapshot(dump.head, pieces)) == state
            if entry.seq % 3 == 0:
                dumper = rules.Dumper(state, dump.saved_at)


def lot_alias(lot, user):
    return lot.state.alias_of(user)
