"""Refusals are values: a rule that said no, with the figures that a bidder needs. Refusals are not stored.

Each rule is a class of error: its base decides the HTTP status, its name is the code, its docstring the sentence, and
`remedy` says what to do next. The rules return `refuse(BidTooLow, minimum=…)`; outside of the rules a refusal is raised
as that error.
"""

from typing import Any

import msgspec

from auction_project.kernel import errors

MONEY = frozenset({"amount", "minimum", "price", "maximum"})


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A rule (`kind`) that refused a command at the state `seq`, `hash`.

    Figures named in MONEY are minor units of `currency`, those named `…_at` are milliseconds since 1970 UTC. `detail`
    replaces the sentence of the class where the case says more; empty: the class says it.
    """

    kind: type[errors.DomainError]
    detail: str = ""
    field: str | None = None
    figures: dict[str, Any] = {}
    currency: str = ""
    seq: int = 0
    hash: str = ""

    @property
    def rule(self) -> str:
        """The stable name, which is the error's code."""
        return self.kind.code

    def error(self) -> errors.DomainError:
        """The error of this refusal, with the seq and hash of the state that it was decided at."""
        return self.kind(
            self.detail or None, field=self.field, **{**self.figures, "seq": self.seq, "hash": self.hash}
        )


def refuse(
    kind: type[errors.DomainError], *, detail: str = "", field: str | None = None, **figures: Any
) -> Refusal:
    """A refusal by the rule `kind`. Its seq, hash and currency are filled in by `decide`."""
    return Refusal(kind=kind, detail=detail, field=field, figures=figures)


# --- of bids -------------------------------------------------------------------------------------------------------


class AuctionNotFound(errors.NotFound):
    """There is no such auction."""


class AuctionNotOpen(errors.Refused):
    """The auction has not opened yet."""

    remedy = "It opens at `starts_at`."


class AuctionClosed(errors.Refused):
    """The auction is over."""

    remedy = "It ended at `ends_at`: there is nothing to bid on any more."


class AuctionCancelled(errors.Refused):
    """The auction was cancelled."""

    remedy = "`reason` says why. No bid in it counts, and nothing is charged."


class OwnLot(errors.Forbidden):
    """You can't bid on your own lot."""


class HouseLot(errors.Forbidden):
    """Operators can't bid on the house's lots, nor can the person who listed the lot: they know what is hidden."""


class CardMissing(errors.Forbidden):
    """You need a usable card on file before you can bid."""

    remedy = "Put a card on file (PUT /api/v1/card), then send the same bid again. After a declined payment, use another card."


class ConfirmationRequired(errors.Refused):
    """This bid is unusual: `because` says why. Confirm that you mean it."""

    remedy = (
        "Send the same bid again with the value of `confirmation` in the body. It is valid for five minutes."
    )


class CurrencyMismatch(errors.Invalid):
    """An auction is held in one currency, and the bid is in another."""

    remedy = "Bid in `currency`."


class AmountMissing(errors.Invalid):
    """A bid in an English auction has an amount and a currency."""


class AmountOutOfRange(errors.Invalid):
    """An amount, and a price times its quantity, is more than 0 and at most 1,000,000,000.00."""


class QuantityOutOfRange(errors.Invalid):
    """Buy 1 unit or more, in whole units."""


class QuantityNotAllowed(errors.Invalid):
    """An English auction sells one unit."""

    remedy = "Leave `quantity` out, or send 1."


class BidTooLow(errors.Refused):
    """The bid is below the minimum next bid, or your new maximum is below the visible price."""

    remedy = "Bid `minimum` or more."


class BidUnchanged(errors.Refused):
    """This is already your maximum."""

    remedy = "Bid more to raise it; it may also go down as far as the visible price."


class PriceDiffers(errors.Refused):
    """The amount is not the price of that quantity."""

    remedy = "Send `price`, or no amount."


class SoldOut(errors.Refused):
    """There are not that many units left."""

    remedy = "Ask for `quantity_left` or fewer; a sale that falls through brings its units back."


# --- of a lot's life -----------------------------------------------------------------------------------------------


class AlreadyRequested(errors.Conflict):
    """An auction is requested once, and this one exists."""


class TermsInvalid(errors.Invalid):
    """The terms of an auction are not within the bounds of the house."""


class NotYourAuction(errors.Forbidden):
    """Only the seller or an operator opens or cancels an auction."""


class HasBids(errors.Conflict):
    """A seller cannot cancel an auction once there is a bid."""

    remedy = "Ask an operator."


class NotDue(errors.Refused):
    """It is not time yet."""

    remedy = "`due_at` says when it is."


class WrongStatus(errors.Conflict):
    """The auction is in a state that does not allow this: `state` names it."""


class StockNewsIsOld(errors.Refused):
    """The lot is newer than the news that its stock is gone."""


class NothingLeft(errors.Refused):
    """Every unit of the lot is in a sale."""


class NoSuchSale(errors.Refused):
    """The auction has no undecided sale of that id."""
