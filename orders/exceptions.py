"""The errors of orders, payments, risk and cards: one class for each situation. No HTTP, no Django."""

from auction_project.kernel import errors


class RiskRefused(errors.Refused):
    """The risk of this sale is above the limit."""


class PaymentRefused(errors.Refused):
    """The payment was refused."""


class OrderNotFound(errors.NotFound):
    """There is no such order."""


class NoCard(errors.NotFound):
    """There is no card on file."""


class UnknownTestCard(errors.Invalid):
    """The payments here are simulated: only the documented test numbers are accepted."""


class MayNotBuy(errors.Forbidden):
    """This account is closed or barred."""


class OrderNumberTaken(errors.Conflict):
    """Another order has this number or this sale already."""


class OrderIsCancelled(errors.Conflict):
    """The order was cancelled."""


class OrderIsConfirmed(errors.Conflict):
    """The order is confirmed, which is final."""


class OrderNotPaid(errors.Conflict):
    """No captured payment has exactly this order's amount."""


class PaymentDecided(errors.Conflict):
    """The payment has an outcome, so there is nothing to settle."""
