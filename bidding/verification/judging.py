"""Judges one auction's log entry by entry. The judge is deliberately naive and shares only the increment table with
`bidding.rules`: a checker that shared the code which keeps an invariant could share its mistake.

Pure: the caller reads the log. Invariants: B2 (keys), B3 (seq, increments, prices), B5 (only while open), B6 (chain,
winner, closed once, replay, result without struck bids), B7 (not the seller, not the house), B9 (what is hidden stays
hidden).
"""

from collections import Counter, defaultdict
from typing import Any

import msgspec

from auction_project.kernel import findings, ids
from bidding import presentation, rules
from bidding.publishing import events as log_events
from bidding.rules import increments, kinds, log

MAX_VIOLATIONS = 100
SAMPLE_EVERY = 64  # entries; the judge compares public bodies so often, and at the end

# The fields of a public form, by kind: a field that is not here must not be published.
_PUBLIC = {"auction_id", "seq", "at", "commitment", "facts", "prev", "v"}
_SALE = {"sale_id", "buyer", "price", "quantity"}
_FACTS: dict[str, set[str]] = {
    "requested": {"terms"},
    "scheduled": {"title", "text", "thumbnail", "seller_id", "stock_version"},
    "opened": {"ends_at"},
    "bid": {
        *("bidder", "leader", "currency", "price", "minimum", "ends_at", "previous_ends_at", "reserve_met"),
        *("bids", "quantity_left", "sale"),
    },
    "cancelled": {"reason", "by", "ended"},
    "sold_out": {"ended"},
    "closed": {"winner", "price", "reserve_met", "quantity_left", "ended", "sale"},
    "settled": {"sale_id", "ended"},
    "sale_failed": {
        *("sale_id", "next", "leader", "price", "reserve_met", "quantity_left", "ended", "sale", "relist_as")
    },
}
_FACTS["maximum_changed"] = _FACTS["bid"]
_TERMS = {
    *("format", "product_id", "as_operator", "currency", "start_price", "starts_at", "ends_at", "quantity"),
    *("has_reserve", "allocate", "soft_close", "relistings_left", "relist_of", "card_required", "rules"),
    *("increments", "pay_within_ms"),
}
_BUYERS_FAULT = ("payment_refused", "risk_refused", "unpaid")
_OF_BIDDERS = ("bid", "maximum_changed", "closed", "sale_failed")  # entries whose actor or buyer is a bidder


class Verdicts:
    """How many checks were made, and what is wrong, by invariant."""

    def __init__(self) -> None:
        self._checked: Counter[str] = Counter()
        self._violations: defaultdict[str, list[str]] = defaultdict(list)

    def look(self, invariant: str, holds: bool, words: str) -> None:
        """One check was made; `words` say what is wrong unless it holds. At most MAX_VIOLATIONS are kept."""
        self._checked[invariant] += 1
        if not holds and len(self._violations[invariant]) < MAX_VIOLATIONS:
            self._violations[invariant].append(words)

    def finding(self, invariant: str) -> findings.Finding:
        """How often the invariant was checked, and where it does not hold."""
        return findings.Finding(
            invariant, self._checked[invariant], tuple(self._violations.get(invariant, ()))
        )


class Judge:
    """`see` each entry in order, then `end`. `state` is the fold so far; once `broken`, it cannot go on."""

    def __init__(self, auction_id: str, verdicts: Verdicts) -> None:
        self.state = rules.State(auction_id)
        self.broken = False
        self._verdicts = verdicts
        self._keys: set[str] = set()
        self._open = self._over = False
        self._price = 0
        self._ends_at = 0
        self._left = 0
        self._finals = 0
        self._aliases: dict[str, str] = {}
        self._maxima: dict[str, tuple[int, int]] = {}

    def see(self, entry: log.Entry) -> None:
        """Judge the next entry of the log, and fold it."""
        before, look = self.state, self._verdicts.look
        where = f"{before.auction_id}:{entry.seq}"
        look("B3", entry.seq == before.seq + 1, f"{where} follows {before.seq}")
        look("B2", entry.idempotency not in self._keys, f"{where}: the key {entry.idempotency} is used twice")
        self._keys.add(entry.idempotency)
        flaw = rules.verify_chain([entry], prev=before.hash, seq=before.seq)
        look("B6", flaw is None, f"{where}: {flaw}")
        look("B6", entry.at >= before.at, f"{where}: its time {entry.at} is before its predecessor's")
        self._see_facts(entry, where)
        try:
            self.state = rules.apply(before, entry)
        except Exception as error:
            self.broken = True
            look("B6", False, f"{where}: cannot be replayed: {error!r}")
            return
        self._see_public(before, entry, where)

    def end(self) -> None:
        """The log is complete."""
        self._see_bodies(self.state.auction_id)

    def check_snapshot(self, snapshot: rules.Snapshot, where: str) -> None:
        """The relay's snapshot is the state that a replay up to here gives."""
        self._verdicts.look(
            "B6", rules.load(snapshot) == self.state, f"{where}: its snapshot is another state"
        )

    # --- what happened ---------------------------------------------------------------------------------------------

    def _see_facts(self, entry: log.Entry, where: str) -> None:
        facts = entry.facts
        if isinstance(facts, kinds.Requested):
            self._left, self._ends_at = facts.terms.quantity, facts.terms.ends_at
        elif isinstance(facts, kinds.Opened):
            self._open, self._ends_at = True, facts.ends_at
        elif isinstance(facts, kinds.Bid):
            self._see_bid(entry, facts, where)
        elif isinstance(facts, kinds.Cancelled | kinds.Closed):
            self._finals += 1
            self._over = True
            self._verdicts.look("B6", self._finals == 1, f"{where}: closed or cancelled {self._finals} times")
            if isinstance(facts, kinds.Closed):
                self._see_close(entry, facts, where)
        elif isinstance(facts, kinds.SaleFailed):
            self._left = facts.quantity_left
            self._see_failed_sale(entry, facts, where)
        elif isinstance(facts, kinds.SoldOut):
            self._left = 0

    def _see_bid(self, entry: log.Entry, facts: kinds.Bid, where: str) -> None:
        look = self._verdicts.look
        look("B5", self._open and not self._over, f"{where}: a bid while the auction was not open")
        look("B5", entry.at < self._ends_at, f"{where}: a bid at {entry.at}, the end was {self._ends_at}")
        look("B7", entry.actor != self.state.seller_id, f"{where}: a bid by the seller")
        by_house = self.state.seller_id == ids.HOUSE and entry.actor == self.state.requested_by
        look("B7", not by_house, f"{where}: a bid on the house's lot by the operator who listed it")
        is_own_change = self._leader() == entry.actor
        moved = facts.ends_at != self._ends_at or facts.bids != self.state.bids
        look(
            "B3", isinstance(facts, kinds.MaximumChanged) == is_own_change, f"{where}: it is no {entry.kind}"
        )
        look(
            "B3",
            not (is_own_change and moved),
            f"{where}: the leader's own change moved the end or the count",
        )
        self._ends_at = facts.ends_at
        self._aliases.setdefault(entry.actor, facts.bidder)
        same = self._aliases[entry.actor] == facts.bidder
        look("B2", same, f"{where}: {facts.bidder} was {self._aliases[entry.actor]}")
        if rules.formats.of(self.state).sells_by_bid:
            self._see_purchase(facts, where)
        else:
            self._see_proxy_bid(entry, facts, where)

    def _see_purchase(self, facts: kinds.Bid, where: str) -> None:
        sale = facts.sale
        quantity = sale.quantity if sale else 0
        total = self.state.known_terms.start_price * quantity
        self._left -= quantity
        ok = (
            sale is not None
            and quantity > 0
            and sale.price == total
            and 0 <= facts.quantity_left <= self._left
        )
        self._verdicts.look(
            "B3", ok, f"{where}: {quantity} units for {sale and sale.price}, {self._left} left"
        )

    def _see_proxy_bid(self, entry: log.Entry, facts: kinds.Bid, where: str) -> None:
        look, terms, reserve = self._verdicts.look, self.state.known_terms, self.state.reserve
        amount, leader = entry.hidden.maximum or 0, self._leader()
        if leader == entry.actor:
            look("B3", amount >= self._price, f"{where}: {amount} is below one's own price {self._price}")
        elif leader is None:
            look(
                "B3", amount >= terms.start_price, f"{where}: {amount} is below the start {terms.start_price}"
            )
            self._price = terms.start_price
        else:
            least = self._price + increments.increment(self._price, table=terms.increments)
            look("B3", amount >= least, f"{where}: {amount} is below the minimum {least}")
            low, high = sorted((amount, self._maxima[leader][0]))
            forced = min(high, low + increments.increment(low, table=terms.increments))
            self._price = max(self._price, forced)
        since = self._maxima[leader][1] if leader == entry.actor else entry.seq
        self._maxima[entry.actor] = (amount, since)
        leader = self._leader() or ""
        met = reserve is None or self._maxima[leader][0] >= reserve
        if reserve is not None and met:
            self._price = max(self._price, reserve)
        look("B3", facts.price == self._price, f"{where}: the price is {facts.price}, not {self._price}")
        least = self._price + increments.increment(self._price, table=terms.increments)
        look("B3", facts.minimum == least, f"{where}: the minimum is {facts.minimum}, not {least}")
        look("B6", facts.leader == self._aliases[leader], f"{where}: {facts.leader} leads, not the highest")
        look("B6", facts.reserve_met == met, f"{where}: reserve_met is {facts.reserve_met}, not {met}")

    def _see_close(self, entry: log.Entry, facts: kinds.Closed, where: str) -> None:
        if rules.formats.of(self.state).sells_by_bid:
            return
        reserve, leader = self.state.reserve, self._leader()
        met = leader is not None and (reserve is None or self._maxima[leader][0] >= reserve)
        expected = (leader, self._aliases[leader], self._price) if leader and met else (None, "", None)
        logged = (entry.hidden.buyer, facts.winner, facts.sale.price if facts.sale else None)
        self._verdicts.look("B6", logged == expected, f"{where}: the winner is {logged}, not {expected}")
        self._verdicts.look("B6", entry.at >= self._ends_at, f"{where}: closed before the end")

    def _see_failed_sale(self, entry: log.Entry, facts: kinds.SaleFailed, where: str) -> None:
        """When the buyer is at fault, what follows is as if this buyer had never bid."""
        if rules.formats.of(self.state).sells_by_bid or entry.hidden.reason not in _BUYERS_FAULT:
            self._verdicts.look(
                "B6", facts.next != "runner_up", f"{where}: a runner-up without the buyer's fault"
            )
            return
        failed = self.state.open_sales.get(facts.sale_id)
        if failed is not None:
            self._maxima.pop(failed.user_id, None)
        terms, reserve, leader = self.state.known_terms, self.state.reserve, self._leader()
        first, *others = sorted((maximum for maximum, _ in self._maxima.values()), reverse=True) or [0]
        self._price = terms.start_price if leader else 0
        if others:
            forced = others[0] + increments.increment(others[0], table=terms.increments)
            self._price = min(first, forced)
        if reserve is not None and first >= reserve:
            self._price = max(self._price, reserve)
        sold = leader is not None and (reserve is None or first >= reserve)
        expected = (leader, self._price, self._price) if sold else (None, self._price, None)
        logged = (entry.hidden.buyer, facts.price, facts.sale.price if facts.sale else None)
        self._verdicts.look("B6", logged == expected, f"{where}: what follows is {logged}, not {expected}")

    def _leader(self) -> str | None:
        """The highest valid maximum, the earliest on a tie."""
        return min(
            self._maxima, key=lambda user: (-self._maxima[user][0], self._maxima[user][1]), default=None
        )

    # --- what is published -------------------------------------------------------------------------------------------

    def _see_public(self, before: rules.State, entry: log.Entry, where: str) -> None:
        look, kind = self._verdicts.look, entry.kind
        form: dict[str, Any] = msgspec.to_builtins(log.public_form(entry))
        facts: dict[str, Any] = form["facts"]
        is_public = set(form) <= _PUBLIC and set(facts) - {"kind"} <= _FACTS[kind]
        is_public &= set(facts.get("sale") or ()) <= _SALE and set(facts.get("terms") or ()) <= _TERMS
        look("B9", is_public, f"{where}: its public form has a field that is not public")
        events = [
            event for event in log_events.of_entry(before, entry, self.state) if event.TOPIC == "auction.log"
        ]
        text = msgspec.json.encode([form, events]).decode()
        secrets = [entry.hidden.salt]
        if kind in _OF_BIDDERS:
            secrets += [user for user in (entry.hidden.actor, entry.hidden.buyer) if user and len(user) > 8]
        look("B9", not any(secret in text for secret in secrets), f"{where}: it shows the actor or the salt")
        if entry.seq % SAMPLE_EVERY == 0:
            self._see_bodies(where)

    def _see_bodies(self, where: str) -> None:
        """The public body of an open auction must not depend on what is hidden: other secrets, same body."""
        state = self.state
        if state.status is not rules.Status.OPEN or not state.leader:
            return
        leading = state.bidders[state.leader]
        other = msgspec.structs.replace(
            state,
            bidders=state.bidders.insert(
                state.leader, msgspec.structs.replace(leading, maximum=leading.maximum + 1)
            ),
            reserve=state.reserve + 1 if state.reserve is not None else None,
        )
        same = presentation.auction(other) == presentation.auction(state)
        self._verdicts.look("B9", same, f"{where}: the auction's body depends on what is hidden")
