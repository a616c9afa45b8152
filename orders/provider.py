"""The payment provider as orders see it: a protocol, its answers, and how a call can fail.

Every call names the idempotency key of its payment: the same key has the same effect once, however often it is asked.
A cancelled key stays cancelled: a capture that comes later is refused for ever. "Not found" is never an answer to
the question whether money was taken; only `cancel` is, because it decides.
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
    """A definite answer."""

    status: Status
    reason: str = ""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One payment as the provider has it. `reference` is our order number; empty for a key cancelled unseen."""

    key: str
    reference: str
    status: str
    amount: int
    currency: str
    refunded: bool

    @property
    def is_captured(self) -> bool:
        return self.status == Status.CAPTURED.value


class NoAnswer(errors.Unavailable):
    """The provider took the request and did not answer in time: it may have been done or not."""


class ProviderFault(RuntimeError):
    """The provider says that the request itself is wrong. Sending it again changes nothing."""


class PaymentProvider(Protocol):
    """Every method raises errors.Unavailable when the provider is away, ProviderFault when it does not understand."""

    def capture(self, *, key: str, token: str, amount: int, currency: str, reference: str) -> Result:
        """Take the money, once. Raises NoAnswer."""

    def cancel(self, *, key: str) -> Result:
        """Decide an unanswered capture: CAPTURED when the money was taken before, else CANCELLED for ever."""

    def refund(self, *, key: str) -> None:
        """Give a captured payment back, once."""

    def is_healthy(self) -> bool:
        """Whether the provider answers at all. Never raises."""

    def get_payment(self, *, key: str) -> Record | None: ...

    def list_payments(self) -> Iterator[Record]:
        """Every payment that the provider knows, oldest first."""


current: owned.Owned[PaymentProvider] = owned.Owned("payment provider")
