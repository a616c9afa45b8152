"""The terms of an auction, fixed when it is requested: public but for the reserve.

Instants are milliseconds since 1970 UTC, spans are milliseconds, amounts are minor units of the currency. The terms are
part of the first entry's hash: every field keeps its name and its default, also those that no rule reads
(`SoftClose.mode`, `SoftClose.trigger`, `Terms.rules`).
"""

from typing import Literal

import msgspec

from bidding.rules import increments

# The bounds of an amount are those of the kernel's `money`.
MAX_QUANTITY = 10_000
MAX_RELISTINGS = 5
MAX_DURATION_MS = 90 * 24 * 3_600_000
MAX_INSTANT = 10**14
MAX_WINDOW_MS = MAX_EXTENSION_MS = 3_600_000
MIN_EXTENSION_MS = 1_000
MAX_CAP_MS = 24 * 3_600_000
MIN_PAY_MS = 60_000
MAX_PAY_MS = 7 * 24 * 3_600_000

Allocation = Literal["on_listing", "on_sale"]


class SoftClose(msgspec.Struct, frozen=True, kw_only=True):
    """A bid within `window_ms` of the end moves the end to `extension_ms` after the bid.

    Only a bid that changes the leader or the price does: a leader who changes the own maximum moves nothing. The end
    never moves by more than `cap_total_ms` in all, nor beyond `hard_stop_at`. A window of 0 switches it off.

    `mode` and `trigger` name this rule, the only one there is.
    """

    window_ms: int = 120_000
    extension_ms: int = 120_000
    mode: Literal["reset"] = "reset"
    trigger: Literal["leader_or_price"] = "leader_or_price"
    cap_total_ms: int = 3_600_000
    hard_stop_at: int | None = None


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What the seller or an operator asks for.

    `format` is a name of `formats.FORMATS`. `start_price` is the unit price of a buy_now listing. `allocate` says when
    inventory sets units aside. `relistings_left`: how often a lot whose sales all failed is listed again; `relist_of`:
    the auction that this one goes on from. `card_required`: only bidders with a usable card may bid. `increments` pins
    the version of the increment table; `rules` is the version of the rules, of which there is one. `pay_within_ms`: a buyer pays
    in the shop, at most so long after the sale. Terms without it charge the card on file at once; they do not name it, because
    older logs are hashed so.
    """

    format: str
    product_id: str
    as_operator: bool
    currency: str
    start_price: int
    starts_at: int
    ends_at: int
    quantity: int = 1
    has_reserve: bool = False
    allocate: Allocation = "on_listing"
    soft_close: SoftClose = SoftClose()
    relistings_left: int = MAX_RELISTINGS
    relist_of: str | None = None
    card_required: bool = True
    rules: int = 2
    increments: str = increments.CURRENT
    pay_within_ms: int | msgspec.UnsetType = msgspec.UNSET

    @property
    def payment_ms(self) -> int:
        """How long a buyer may take to pay; 0: the card on file is charged at once."""
        return self.pay_within_ms or 0


def extended_end(terms: Terms, *, ends_at: int, at: int) -> int:
    """The end after a bid at `at`: the soft close."""
    soft = terms.soft_close
    if ends_at - at > soft.window_ms or soft.window_ms == 0:
        return ends_at
    latest = terms.ends_at + soft.cap_total_ms
    if soft.hard_stop_at is not None:
        latest = min(latest, soft.hard_stop_at)
    return max(ends_at, min(at + soft.extension_ms, latest))
