"""What can go against the rules of orders, payments and risk, one class a situation. No HTTP, no Django."""

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
    """The payments here are simulated: only the documented test numbers are taken."""


class OrderNumberTaken(errors.Conflict):
    """The order number or its sale belongs to something else already."""


class OrderIsCancelled(errors.Conflict):
    """The order was cancelled."""


class OrderIsConfirmed(errors.Conflict):
    """The order is confirmed, which is final."""


class OrderNotPaid(errors.Conflict):
    """The order has no captured payment of its amount."""


class PaymentDecided(errors.Conflict):
    """The payment has an outcome: there is nothing to resolve."""
