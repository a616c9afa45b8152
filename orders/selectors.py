"""Reads orders, payments, risk, cards, carts and checkouts. Amounts are in minor units. Never writes."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.conf import settings
from django.db import connections
from django.db.models import Case, CharField, Count, Exists, OuterRef, Q, QuerySet, Sum, Value, When
from django.db.models.functions import TruncDay

from auction_project.kernel import money
from orders import exceptions, models, risk, status, totals

MAX_AWARDS = 100
_FOR_OPERATORS = (models.PaymentFact.Kind.RESOLVED,)

# The columns after the user are those of risk.Buyer. Each count stops at its LIMIT, by an index on the user or the device. An
# account has few devices (models.Device.MAX), each of which is asked for as many accounts as count.
_RISK_OF_BUYERS = """
    SELECT buyer.user_id, account.created_at, coalesce(account.email_verified, false) AS email_verified,
        coalesce(account.closed, false) AS closed, coalesce(account.barred, false) AS barred,
        (SELECT count(*) FROM (SELECT FROM orders_riskassessment AS sale
            WHERE sale.user_id = buyer.user_id AND sale.at > %(recently)s LIMIT %(sales_counted)s) AS recent) AS recent_sales,
        (SELECT count(*) FROM (SELECT FROM orders_payment AS payment
            WHERE payment.user_id = buyer.user_id AND payment.state = 'DECLINED'
            AND payment.started_at > %(declined_since)s LIMIT %(declined_counted)s) AS declined) AS declined,
        (SELECT count(*) FROM (SELECT FROM orders_payment AS payment
            WHERE payment.user_id = buyer.user_id AND payment.state = 'CAPTURED' LIMIT %(paid_counted)s) AS paid) AS paid,
        device.first_device_at, device.newest_device_at,
        (SELECT count(*) FROM (SELECT DISTINCT linked.user_id FROM orders_device AS mine CROSS JOIN LATERAL
            (SELECT other.user_id FROM orders_device AS other WHERE other.device = mine.device
            AND other.user_id <> mine.user_id LIMIT %(linked_counted)s) AS linked
            WHERE mine.user_id = buyer.user_id LIMIT %(linked_counted)s) AS linked) AS linked,
        (SELECT override.until FROM orders_riskoverride AS override
            WHERE override.user_id = buyer.user_id ORDER BY override.id DESC LIMIT 1) AS accepted_until
    FROM unnest(%(user_ids)s::text[]) AS buyer (user_id) LEFT JOIN orders_account AS account USING (user_id)
        CROSS JOIN LATERAL (SELECT min(first_seen_at) AS first_device_at, max(first_seen_at) AS newest_device_at
            FROM orders_device WHERE orders_device.user_id = buyer.user_id) AS device
"""


class Happening(msgspec.Struct, frozen=True):
    """One line of a timeline. `about` is "order", "payment", "shipment", "return_request", "return" or "refund", `kind` the kind of that
    row's fact or its state."""

    at: datetime
    about: str
    kind: str
    detail: str


class Tally(msgspec.Struct, frozen=True):
    """How many orders of a day of the house have a status now, and the sum of their amounts."""

    day: datetime
    status: str
    currency: str
    orders: int
    amount: int


class CartLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a cart beside its offer. `problem` is empty, "price_changed", "not_for_sale" or "too_many"; `price` is for one
    unit now, or what the user saw when it is not for sale in the cart's currency."""

    product_id: str
    title: str
    slug: str
    thumbnail: str
    quantity: int
    seen_price: int
    price: int
    max_per_order: int
    problem: str

    @property
    def total(self) -> int:
        return totals.line_total(self.price, self.quantity)


class Cart(msgspec.Struct, frozen=True, kw_only=True):
    """A cart with its totals, in which what is not for sale does not count. `currency` is empty for an empty cart."""

    lines: tuple[CartLine, ...]
    currency: str
    totals: totals.Totals


def get_cart(*, user_id: str) -> Cart:
    """The user's cart at the prices of now."""
    rows = list(models.CartLine.of(user_id))
    offers = models.Offer.objects.in_bulk([row.product_id for row in rows])
    lines = tuple(_cart_line(row, offers.get(row.product_id)) for row in rows)
    currency = rows[0].currency if rows else ""
    counted = [(line.total, line.quantity) for line in lines if line.problem != "not_for_sale"]
    return Cart(lines=lines, currency=currency, totals=totals.totals(counted, shipping_rule(currency)))


def list_due_awards(*, user_id: str, now: datetime) -> list[models.Award]:
    """The lots that the user has won and still can pay, the most urgent first."""
    return list(models.Award.due_to(user_id, now=now))


def list_awards(*, user_id: str, auction_id: str) -> list[models.Award]:
    """The lots of the auction that the user has won on terms to pay later, newest first."""
    awards = models.Award.objects.filter(user_id=user_id, auction_id=auction_id).select_related("checkout")
    return list(awards.order_by("-awarded_at", "pk")[:MAX_AWARDS])


def shipping_rule(currency: str) -> totals.ShippingRule:
    """The rule of the settings; a currency without one ships for nothing."""
    return totals.shipping_rules(settings.SHIPPING).get(currency) or totals.ShippingRule()


def get_checkout(*, checkout_id: str, user_id: str) -> models.Checkout:
    """One of the user's checkouts. Raises CheckoutNotFound."""
    checkout = models.Checkout.objects.filter(pk=checkout_id, user_id=user_id).first()
    if checkout is None:
        raise exceptions.CheckoutNotFound
    return checkout


def list_open_checkouts(*, user_id: str, now: datetime) -> list[models.Checkout]:
    """The user's checkout that is under way, if there is one."""
    running = models.Checkout.objects.filter(user_id=user_id, state__in=models.RUNNING)
    return [checkout for checkout in running if checkout.status(now) != models.EXPIRED]


def get_order_number(checkout: models.Checkout) -> str | None:
    """The number of the order that the checkout's last payment was for, None before the first one."""
    last = checkout.sales.order_by("attempt").last()
    return last.order_number if last else None


def find_checkout(*, order_number: str) -> str | None:
    """The id of the checkout that was paid under this number. A number cannot be turned back into its sale, so it is looked for among the
    sales of the buyer; the risk check knows them. A sale that was refused before that check is not found."""
    assessment = get_risk(number=order_number)
    if assessment is None:
        return None
    sales = models.CheckoutSale.objects.filter(checkout__user_id=assessment.user_id)
    return next((sale.checkout_id for sale in sales if sale.order_number == order_number), None)


def list_orders(
    *,
    user_id: str | None = None,
    seller_id: str | None = None,
    seen_by: str | None = None,
    status: str | None = None,
    number: str | None = None,
    auction_id: str | None = None,
    placed_from: datetime | None = None,
    placed_until: datetime | None = None,
) -> QuerySet[models.Order]:
    """Orders with their facts and lines, newest first; only those of the given buyer, status, number and auction, or that were placed
    in the given time. A seller has the confirmed orders of their lines; `seen_by` is the buyer, or such a seller."""
    orders = models.Order.objects.prefetch_related("facts", "lines").order_by("-placed_at", "number")
    if user_id is not None:
        orders = orders.filter(user_id=user_id)
    if seller_id is not None:
        orders = orders.filter(_sold_by(seller_id))
    if seen_by is not None:
        orders = orders.filter(Q(user_id=seen_by) | _sold_by(seen_by))
    if placed_from is not None:
        orders = orders.filter(placed_at__gte=placed_from)
    if placed_until is not None:
        orders = orders.filter(placed_at__lt=placed_until)
    if number is not None:
        orders = orders.filter(number=number)
    if auction_id is not None:
        lots = models.OrderLine.objects.filter(auction_id=auction_id)
        orders = orders.filter(Q(auction_id=auction_id) | Q(pk__in=lots.values("order")))
    if status is not None:
        orders = orders.annotate(status_now=_status()).filter(status_now=status)
    return orders


def risk_of_buyers(user_ids: Collection[str], policy: risk.Policy, *, now: datetime) -> dict[str, risk.Buyer]:
    """What is known of each buyer, counted no further than the rules look. One statement."""
    with connections[models.DATABASE].cursor() as cursor:
        cursor.execute(
            _RISK_OF_BUYERS,
            {
                "user_ids": list(user_ids),
                "recently": now - timedelta(minutes=policy.velocity_minutes),
                "sales_counted": policy.sales_counted,
                "declined_since": now - timedelta(days=policy.declined_days),
                "declined_counted": policy.declined_counted,
                "paid_counted": policy.paid_counted,
                "linked_counted": policy.linked_counted,
            },
        )
        names = [column.name for column in cursor.description[1:]]
        return {
            user_id: risk.Buyer(**dict(zip(names, known, strict=True)))
            for user_id, *known in cursor.fetchall()
        }


def get_order(*, number: str, seen_by: str | None = None) -> models.Order:
    """The order with all that happened to it; with `seen_by`, only if it is theirs as a buyer or a seller. Raises OrderNotFound."""
    happened = ("shipments__delivery", "returns__lines__line", "lines__returns")
    requests = ("return_requests__lines__line", "return_requests__facts")
    order = list_orders(seen_by=seen_by, number=number).prefetch_related(*happened, *requests).first()
    if order is None:
        raise exceptions.OrderNotFound
    return order


def get_payments(numbers: Iterable[str]) -> dict[str, models.Payment]:
    """The payments of the orders, by order number; an order without one is left out."""
    return models.Payment.objects.in_bulk(list(numbers))


def get_risk(*, number: str) -> models.RiskAssessment | None:
    """The risk assessment of the order's sale, or None."""
    return models.RiskAssessment.objects.filter(order_number=number).first()


def list_happenings(
    order: models.Order, *, for_operator: bool, of_seller: str | None = None
) -> list[Happening]:
    """The timeline of an order, its payment and its parcels, oldest first. Only operators see what operators did; a seller sees
    the order and their own parcels."""
    lines = _of_money(order, for_operator=for_operator) if of_seller is None else []
    lines += [Happening(fact.at, "order", fact.kind, fact.detail) for fact in order.facts.all()]
    for shipment in order.shipments.all():
        if of_seller in (None, shipment.owner_id):
            lines.append(Happening(shipment.at, "shipment", "SHIPPED", str(shipment)))
            if shipment.delivered_at:
                lines.append(Happening(shipment.delivered_at, "shipment", "DELIVERED", str(shipment)))
    for returned in order.returns.all():
        units = [line for line in returned.lines.all() if of_seller in (None, line.line.owner_id)]
        if units:
            said = ", ".join(f"{line}{' (damaged)' if line.damaged else ''}" for line in units)
            lines.append(Happening(returned.at, "return", "RETURNED", f"{said}: {returned.reason}"))
    for request in order.return_requests.all():
        if of_seller in (None, request.owner_id):
            lines += _of_request(request)
    return sorted(lines, key=lambda line: line.at)


def _of_request(request: models.ReturnRequest) -> list[Happening]:
    """Its end is the return itself, which is a line of its own."""
    units = ", ".join(str(line) for line in request.lines.all())
    facts = [fact for fact in request.facts.all() if fact.kind != models.ReturnState.RETURNED]
    return [
        Happening(fact.at, "return_request", fact.kind, f"{units}: {fact.detail}" if fact.detail else units)
        for fact in facts
    ]


def _of_money(order: models.Order, *, for_operator: bool) -> list[Happening]:
    payment_facts = models.PaymentFact.objects.filter(payment_id=order.number).order_by("at", "id")
    if not for_operator:
        payment_facts = payment_facts.exclude(kind__in=_FOR_OPERATORS)
    lines = [Happening(fact.at, "payment", fact.kind, fact.detail) for fact in payment_facts]
    for refund in models.Refund.of_orders([order.number]):
        said = f"{money.shown(refund.amount, order.currency)}: {refund.reason}"
        lines.append(Happening(refund.created_at, "refund", models.RefundState.PENDING.value, said))
        if refund.done_at:
            lines.append(Happening(refund.done_at, "refund", models.RefundState.DONE.value, said))
    return lines


def get_tallies(*, since: datetime) -> list[Tally]:
    """The orders placed from `since` on, by day, status and currency; newest day first."""
    rows = (
        models.Order.objects.filter(placed_at__gte=since)
        .annotate(day=TruncDay("placed_at"), status_now=_status())
        .values("day", "status_now", "currency")
        .annotate(orders=Count("number"), total=Sum("amount"))
        .order_by("-day", "status_now", "currency")
    )
    return [
        Tally(row["day"], row["status_now"], row["currency"], row["orders"], int(row["total"]))
        for row in rows
    ]


def sum_refunds(*, since: datetime) -> dict[str, int]:
    """What was given back of the orders placed from `since` on that are still sold, by currency. Pending refunds count."""
    sold = models.Order.objects.filter(placed_at__gte=since).annotate(status_now=_status())
    numbers = sold.filter(status_now__in=status.SOLD).values("number")
    rows = models.Refund.objects.filter(payment__in=numbers).values_list("payment__currency")
    return {currency: int(total) for currency, total in rows.annotate(total=Sum("amount"))}


def list_balances(entries: QuerySet[models.JournalEntry]) -> list[tuple[str, str, int]]:
    """Of each account and currency, what these entries debited less what they credited."""
    rows = (
        models.Posting.objects.filter(entry__in=entries)
        .values("account", "currency")
        .annotate(balance=Sum("debit") - Sum("credit"))
        .order_by("currency", "account")
    )
    return [(row["account"], row["currency"], int(row["balance"])) for row in rows]


def list_addresses(*, user_id: str) -> QuerySet[models.Address]:
    """The user's address book: the default first, then the newest."""
    return models.Address.objects.filter(user_id=user_id).order_by("-is_default", "-created_at", "id")


def get_card(*, user_id: str) -> models.Card:
    """The card that the user has on file. Raises NoCard."""
    card = models.Card.objects.filter(user_id=user_id).first()
    if card is None or not card.is_on_file:
        raise exceptions.NoCard
    return card


def _cart_line(row: models.CartLine, offer: models.Offer | None) -> CartLine:
    is_for_sale = offer is not None and offer.published and offer.currency == row.currency
    problem = ""
    if offer is None or not is_for_sale:
        problem = "not_for_sale"
    elif row.seen_price != offer.price:
        problem = "price_changed"
    elif row.quantity > offer.max_per_order:
        problem = "too_many"
    return CartLine(
        product_id=row.product_id,
        title=offer.title if offer else "",
        slug=offer.slug if offer else "",
        thumbnail=offer.thumbnail if offer else "",
        quantity=row.quantity,
        seen_price=row.seen_price,
        price=offer.price if offer and is_for_sale else row.seen_price,
        max_per_order=offer.max_per_order if offer else 0,
        problem=problem,
    )


def _sold_by(seller_id: str) -> Q:
    """The confirmed orders with lines of this seller. An order is nobody's business before it is paid."""
    lines = models.OrderLine.objects.filter(owner_id=seller_id)
    confirmed = models.OrderFact.objects.filter(order=OuterRef("pk"), kind=models.OrderFact.Kind.CONFIRMED)
    return Q(pk__in=lines.values("order")) & Exists(confirmed)


def _status() -> Any:
    """An order's status as an expression: the same as `Order.status`."""
    facts = models.OrderFact.objects.filter(order=OuterRef("pk"))
    kinds = [When(Exists(facts.filter(kind=kind)), then=Value(kind)) for kind in status.ORDER]
    return Case(*kinds, default=Value(models.OrderFact.Kind.PLACED.value), output_field=CharField())
