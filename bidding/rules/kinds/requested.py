"""A seller or an operator asks for an auction: the first entry of every log. The terms are public, the reserve is
hidden."""

from collections.abc import Iterator

from auction_project.kernel import money
from bidding.rules import formats, refusals
from bidding.rules.commands import Command
from bidding.rules.facts import Facts, Hidden
from bidding.rules.formats.base import Flaw
from bidding.rules.kinds.base import Changes
from bidding.rules.refusals import Refusal
from bidding.rules.state import State, Status
from bidding.rules.terms import MAX_DURATION_MS, MAX_PAY_MS, MAX_QUANTITY, MIN_PAY_MS, Terms


class Request(Command, frozen=True, kw_only=True):
    """`reserve`: minor units, None without a reserve."""

    terms: Terms
    reserve: int | None = None


class Requested(Facts, frozen=True, kw_only=True, tag="requested"):
    """The lot is proposed. Inventory answers whether it can be listed."""

    terms: Terms


def decide(state: State, command: Request, at: int) -> tuple[Requested, Hidden] | Refusal:
    if state.status is not Status.NEW:
        return refusals.refuse(refusals.AlreadyRequested)
    terms = command.terms
    for field, rule in _flaws(terms, command.reserve, at):
        return refusals.refuse(refusals.TermsInvalid, detail=f"{field} must be {rule}.", field=field)
    return Requested(terms=terms), Hidden(actor=command.actor, salt=command.salt, reserve=command.reserve)


def apply(state: State, facts: Requested, hidden: Hidden) -> Changes:
    terms = facts.terms
    return {
        "status": Status.REQUESTED,
        "terms": terms,
        "reserve": hidden.reserve,
        "requested_by": hidden.actor,
        "reserve_met": hidden.reserve is None,
        "ends_at": terms.ends_at,
        "quantity_left": terms.quantity,
        "price": formats.FORMATS[terms.format].first_price(terms),
    }


def _flaws(terms: Terms, reserve: int | None, at: int) -> Iterator[Flaw]:
    """Each field that is out of bounds, with its bound."""
    if terms.format not in formats.FORMATS:
        yield "format", f"one of {', '.join(formats.FORMATS)}"
        return
    hard_stop_at = terms.soft_close.hard_stop_at
    largest = f"{money.format(money.MAX_MINOR_UNITS, terms.currency)} {terms.currency}"
    bounds = (
        (
            1 <= terms.start_price <= money.MAX_MINOR_UNITS,
            "start_price",
            f"above 0 and at most {largest}",
        ),
        (1 <= terms.quantity <= MAX_QUANTITY, "quantity", f"between 1 and {MAX_QUANTITY}"),
        (
            terms.start_price * terms.quantity <= money.MAX_MINOR_UNITS,
            "quantity",
            f"so small that all units together cost at most {largest}",
        ),
        (terms.ends_at > max(at, terms.starts_at), "ends_at", "after the start and after now"),
        (terms.ends_at - terms.starts_at <= MAX_DURATION_MS, "ends_at", "at most 90 days after the start"),
        (
            hard_stop_at is None or hard_stop_at >= terms.ends_at,
            "soft_close.hard_stop_at",
            "at or after the end",
        ),
        (
            terms.has_reserve == (reserve is not None),
            "reserve_price",
            "given exactly when there is a reserve",
        ),
        (
            reserve is None or terms.start_price <= reserve <= money.MAX_MINOR_UNITS,
            "reserve_price",
            "at least the starting price",
        ),
        (
            not terms.payment_ms or MIN_PAY_MS <= terms.payment_ms <= MAX_PAY_MS,
            "pay_within_minutes",
            f"0, or between {MIN_PAY_MS // 60_000} and {MAX_PAY_MS // 60_000}",
        ),
        (
            not terms.payment_ms or terms.allocate == "on_listing",
            "allocate",
            "on_listing where buyers pay later",
        ),
    )
    yield from ((field, rule) for holds, field, rule in bounds if not holds)
    yield from formats.FORMATS[terms.format].flaws(terms, reserve)
