"""The payment provider as orders see it: a protocol, its answers, and how a call can fail.

Every call names the idempotency key of its payment. Calls with the same key have their effect once, however often they
are sent. A cancelled key stays cancelled: a capture that comes later is refused. Amounts are whole minor units,
currencies ISO 4217 codes.

Only `cancel` answers the question whether money was taken, because it decides it. That a payment is not found never
does: the capture may still be on its way.
"""

import enum
from collections.abc import Iterator
from typing import Protocol

import msgspec

from auction_project.kernel import errors, owned


class Status(enum.Enum):
    """What became of a capture."""

    CAPTURED = "captured"
    DECLINED = "declined"
    CANCELLED = "cancelled"


class Result(msgspec.Struct, frozen=True):
    """A definite answer. `reason` is a sentence for the buyer, or empty."""

    status: Status
    reason: str = ""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One payment as the provider has it.

    `reference` is our order number, empty for a key that was cancelled before a capture came. `status` is a value of
    Status, or another word of the provider's for a capture that is not decided yet. `refunded`: all of it was given back at once; `refunded_amount` is what was given back in all.
    """

    key: str
    reference: str
    status: str
    amount: int
    currency: str
    refunded: bool
    refunded_amount: int = 0

    @property
    def is_captured(self) -> bool:
        """Whether the money was taken. It may have been refunded since."""
        return self.status == Status.CAPTURED.value


class NoAnswer(errors.Unavailable):
    """The provider received the request and did not answer in time: the request may have had its effect or not."""


class ProviderFault(RuntimeError):
    """The request itself is wrong, or the answer makes no sense. Sending it again changes nothing."""


class PaymentProvider(Protocol):
    """All methods but `is_healthy` raise NoAnswer, errors.Unavailable when the provider cannot be reached,
    ProviderFault."""

    def capture(self, *, key: str, token: str, amount: int, currency: str, reference: str) -> Result:
        """Take `amount` from the card `token`, once, for the order number `reference`."""

    def cancel(self, *, key: str) -> Result:
        """Decide an unanswered capture: CAPTURED when the money was taken before, else CANCELLED for ever."""

    def refund(self, *, key: str) -> None:
        """Give a captured payment back, once."""

    def refund_part(self, *, key: str, refund_key: str, amount: int) -> None:
        """Give `amount` of a captured payment back, once for each `refund_key`."""

    def is_healthy(self) -> bool:
        """Whether the provider answers at all. Never raises."""

    def get_payment(self, *, key: str) -> Record | None:
        """The payment, or None when the provider does not know the key."""

    def list_payments(self) -> Iterator[Record]:
        """Every payment that the provider knows, oldest first."""


current: owned.Owned[PaymentProvider] = owned.Owned("payment provider")
