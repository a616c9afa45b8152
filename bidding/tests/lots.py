"""Lots for the tests: terms, commands and whole logs, made by the rules themselves. No I/O; time is an argument."""

import itertools
from typing import Any

import msgspec

from auction_project.kernel import ids
from bidding import rules
from bidding.rules import commands, kinds, log

T0 = 1_800_000_000_000
HOUR = 3_600_000
MINUTE = 60_000
SELLER = "5" * 32
OPERATOR = "0" * 32
ANN, BEN, CID, DOT = ("a" * 32, "b" * 32, "c" * 32, "d" * 32)
_serial = itertools.count(1)


def a_key() -> str:
    return f"key-{next(_serial)}"


def terms(**changes: Any) -> rules.Terms:
    """An English lot from T0 to T0 + 1 h, starting at EUR 10.00."""
    plain: dict[str, Any] = {
        "format": "english",
        "product_id": "p" * 32,
        "as_operator": False,
        "currency": "EUR",
        "start_price": 10_00,
        "starts_at": T0,
        "ends_at": T0 + HOUR,
    }
    return rules.Terms(**(plain | changes))


def bid(
    actor: str, amount: int, *, auction: str = "x", key: str = "k", at: int = T0 + MINUTE, salt: str = "salt"
) -> commands.PlaceBid:
    """The command for a bid that is confirmed already, of a bidder with a card."""
    return commands.PlaceBid(
        auction_id=auction,
        actor=actor,
        key=key,
        at=at,
        salt=salt,
        amount=amount,
        currency="EUR",
        has_card=True,
        confirmed="far_above_minimum",
    )


class Lot:
    """One auction under the rules alone: `do` decides and applies; entries and refusals are kept."""

    def __init__(self, auction_id: str = "lot") -> None:
        self.state = rules.State(auction_id)
        self.entries: list[log.Entry] = []

    def do(self, command: commands.Command) -> log.Entry | rules.Refusal:
        decided = rules.decide(self.state, command)
        if isinstance(decided, log.Entry):
            self.state = rules.apply(self.state, decided)
            self.entries.append(decided)
        return decided

    def _common(self, actor: str, key: str | None, at: int) -> dict[str, Any]:
        key = key or a_key()
        return {
            "auction_id": self.state.auction_id,
            "actor": actor,
            "key": key,
            "at": at,
            "salt": f"salt-of-the-entry-{key}",
        }

    def request(
        self, *, reserve: int | None = None, at: int = T0 - HOUR, **changes: Any
    ) -> log.Entry | rules.Refusal:
        requested = terms(has_reserve=reserve is not None, **changes)
        return self.do(kinds.Request(**self._common(SELLER, None, at), terms=requested, reserve=reserve))

    def schedule(
        self,
        *,
        at: int = T0 - HOUR,
        stock_version: int = 7,
        key: str | None = None,
        seller_id: str = SELLER,
    ) -> log.Entry | rules.Refusal:
        return self.do(
            kinds.Schedule(
                **self._common(commands.EVENT, key, at),
                title="Brass sextant",
                text="London, about 1880.",
                thumbnail="/thumb.png",
                seller_id=seller_id,
                stock_version=stock_version,
            )
        )

    def open(self, *, at: int = T0, actor: str = commands.CLOCK, **early: bool) -> log.Entry | rules.Refusal:
        return self.do(kinds.Open(**self._common(actor, "open", at), **early))

    def bid(
        self,
        actor: str,
        amount: int | None = None,
        *,
        at: int = T0 + MINUTE,
        key: str | None = None,
        **changes: Any,
    ) -> log.Entry | rules.Refusal:
        """A bid of a bidder with a card. The bidder confirms an unusual bid unless the test says what is
        `confirmed`."""
        currency = changes.pop("currency", "EUR" if amount is not None else None)
        fields = {"has_card": True} | changes
        command = commands.PlaceBid(
            **self._common(actor, key, at), amount=amount, currency=currency, **fields
        )
        outcome = self.do(command)
        if (
            isinstance(outcome, rules.Refusal)
            and outcome.rule == "confirmation_required"
            and "confirmed" not in changes
        ):
            return self.do(msgspec.structs.replace(command, confirmed=outcome.figures["because"]))
        return outcome

    def close(self, *, at: int | None = None) -> log.Entry | rules.Refusal:
        return self.do(kinds.Close(**self._common(commands.CLOCK, "close", at or self.state.ends_at + 50)))

    def cancel(
        self, by: str, *, actor: str = OPERATOR, at: int = T0 + MINUTE, **changes: Any
    ) -> log.Entry | rules.Refusal:
        return self.do(
            kinds.Cancel(**self._common(actor, "cancel", at), reason="It broke.", by=by, **changes)
        )

    def settle(self, sale_id: str, *, at: int = T0 + 2 * HOUR) -> log.Entry | rules.Refusal:
        return self.do(kinds.Settle(**self._common(commands.SAGAS, sale_id, at)))

    def fail(
        self, sale_id: str, reason: str = "payment_refused", *, at: int = T0 + 2 * HOUR
    ) -> log.Entry | rules.Refusal:
        return self.do(commands.FailSale(**self._common(commands.SAGAS, sale_id, at), reason=reason))

    def replayed(self) -> rules.State:
        return rules.fold(self.state.auction_id, self.entries)


def open_lot(auction_id: str = "lot", *, seller_id: str = SELLER, **changes: Any) -> Lot:
    """A lot that is OPEN since T0: entries 1 to 3."""
    lot = Lot(auction_id)
    for outcome in (lot.request(**changes), lot.schedule(seller_id=seller_id), lot.open()):
        assert isinstance(outcome, log.Entry), outcome
    return lot


def sale_of(entry: log.Entry | rules.Refusal) -> str:
    """The id of the sale that `entry` makes."""
    assert isinstance(entry, log.Entry)
    return ids.sale_id(entry.auction_id, entry.seq)


def facts(outcome: log.Entry | rules.Refusal) -> dict[str, Any]:
    """The facts of an entry as plain values; a refusal fails the test with its text."""
    assert isinstance(outcome, log.Entry), outcome
    plain: dict[str, Any] = msgspec.to_builtins(outcome.facts)
    return plain


def refusal(outcome: log.Entry | rules.Refusal) -> tuple[str, dict[str, Any]]:
    """The rule and the figures of a refusal."""
    assert isinstance(outcome, rules.Refusal), outcome
    return outcome.rule, outcome.figures


def refused_without_effect(
    lot: Lot, command: str, *arguments: Any, **changes: Any
) -> tuple[str, dict[str, Any]]:
    """(rule, figures) of a command that must be refused and change nothing."""
    before, count = lot.state, len(lot.entries)
    outcome = getattr(lot, command)(*arguments, **changes)
    assert (lot.state, len(lot.entries)) == (before, count)
    assert (outcome.seq, outcome.hash, outcome.currency) == (
        before.seq,
        before.hash,
        "EUR" if before.terms else "",
    )
    return refusal(outcome)


def listing(quantity: int = 3, **changes: Any) -> Lot:
    """An OPEN buy_now lot at EUR 10.00 apiece."""
    return open_lot(format="buy_now", quantity=quantity, allocate="on_sale", **changes)
