"""The errors of orders, payments, risk and cards: one class for each situation. No HTTP, no Django."""

from auction_project.kernel import errors


class RiskRefused(errors.Refused):
    """Our risk check did not pass. The text says what the buyer can do."""


class OwnRisk(errors.Forbidden):
    """You can't decide about your own purchases. Ask a colleague."""


class HoursOutOfRange(errors.Invalid):
    """A buyer is not accepted for so long."""


class ReasonMissing(errors.Invalid):
    """Give a reason."""


class NotAccepted(errors.Conflict):
    """This buyer is not accepted despite the score now."""


class PaymentRefused(errors.Refused):
    """The payment was refused."""


class OrderNotFound(errors.NotFound):
    """There is no such order."""


class NoCard(errors.NotFound):
    """There is no card on file."""


class UnknownTestCard(errors.Invalid):
    """The payments here are simulated: only the documented test numbers are accepted."""


class AddressNotFound(errors.NotFound):
    """There is no such address in your book."""


class InvalidAddress(errors.Invalid):
    """A parcel cannot be sent to this address: `field` names the part at fault."""


class TooManyAddresses(errors.Conflict):
    """Your address book is full. Remove an address first."""


class MayNotBuy(errors.Forbidden):
    """This account is closed or barred."""


class MayNotOrder(errors.Forbidden):
    """Only bidders with a verified e-mail address may order."""


class CheckoutNotFound(errors.NotFound):
    """There is no such checkout."""


class NotForSale(errors.Conflict):
    """This is not for sale in the shop now."""


class TooMany(errors.Conflict):
    """One order may not have so many units of this."""


class PriceChanged(errors.Conflict):
    """Prices have changed since you saw them. Look at the new ones, and order again."""

    remedy = "Send the prices in `lines` if the buyer accepts them."


class MixedCurrencies(errors.Conflict):
    """One order has one currency."""


class CartFull(errors.Conflict):
    """A cart has no more room: take something out, or order what is in it first."""


class CartChanged(errors.Conflict):
    """Your cart is not as you saw it: it was changed or ordered elsewhere, perhaps in another tab."""

    remedy = "Read the cart again, and start a checkout of what is in it."


class NotAwarded(errors.Conflict):
    """You have not won this lot, or it is paid, or its time to pay is over."""

    remedy = "Read `awards` of the cart: it has what can be paid."


class SameProduct(errors.Conflict):
    """Two lines are units of the same product. Pay them one after the other."""


class BelowMinimum(errors.Conflict):
    """An order of so little cannot be paid by card. Add something to it."""

    remedy = "Put more into the cart: the total must be `minimum` at least."


class AddressMissing(errors.Invalid):
    """An order needs an address that it is sent to: put one into your address book first."""


class CheckoutUnderWay(errors.Conflict):
    """Your last order is being paid. Wait until that has ended, then order again."""

    remedy = "Read the checkout that `checkout_id` names until it is paid or may be paid again."


class WrongCheckoutState(errors.Conflict):
    """The checkout is not in a state that allows this."""


class CheckoutExpired(errors.Conflict):
    """The time to pay is over, and nothing is reserved any more. Start again from your cart."""


class NoUsableCard(errors.Forbidden):
    """There is no usable card on file."""


class OrderNumberTaken(errors.Conflict):
    """Another order has this number or this sale already."""


class OrderIsCancelled(errors.Conflict):
    """The order was cancelled."""


class OrderIsConfirmed(errors.Conflict):
    """The order is confirmed, which is final."""


class OrderUnderWay(errors.Conflict):
    """The order is not confirmed yet. It is in a few seconds, or it is cancelled."""


class OrderIsShipped(errors.Conflict):
    """A part of the order is on its way, so it cannot be cancelled any more. Ask for a return."""


class OrderNotShipped(errors.Conflict):
    """This part of the order is not shipped yet."""


class AlreadyShipped(errors.Conflict):
    """This part of the order is shipped already, with another carrier or number."""


class TooManyReturned(errors.Conflict):
    """More units would come back than the buyer has."""


class ReturnTooLate(errors.Conflict):
    """The time in which this could be returned is over."""


class ReturnAskedAlready(errors.Conflict):
    """A return of this seller's part of the order is under way already. Another one can follow it."""


class ReturnRequestNotFound(errors.NotFound):
    """The order has no such request for a return."""


class ReturnDecided(errors.Conflict):
    """This request for a return is answered or over already."""


class NothingToRefund(errors.Conflict):
    """All of the order's money has been given back, or is on its way."""


class RefundTooLarge(errors.Conflict):
    """More would be given back than is left of the order's money."""


class NotForYou(errors.Forbidden):
    """You see this order, but this is done by others: sellers ship their lines, buyers cancel, and operators do the rest."""


class InvalidText(errors.Invalid):
    """The text is missing or too long."""


class OrderNotPaid(errors.Conflict):
    """No captured payment has exactly this order's amount."""


class PaymentDecided(errors.Conflict):
    """The payment has an outcome, so there is nothing to settle."""
