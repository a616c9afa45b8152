"""What a saga asks of orders: the requests of its steps. A service takes a group of them and returns one outcome each."""

from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import steps


class SaleRequest(steps.Request, frozen=True, kw_only=True):
    """A sale to assess, to capture and to write an order of: the `lines` and the `shipping`, together for `amount` (minor
    units of `currency`, an ISO 4217 code)."""

    user_id: str
    order_number: str
    sale_id: str
    auction_id: str
    lines: tuple[events.SaleLine, ...]
    shipping: int
    title: str
    amount: int
    currency: str


class OrderRequest(steps.Request, frozen=True, kw_only=True):
    """An order to refund or to confirm."""

    order_number: str


class CancelRequest(OrderRequest, frozen=True, kw_only=True):
    """An order to cancel. `reason` is what the buyer reads."""

    reason: str
