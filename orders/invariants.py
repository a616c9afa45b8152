"""The invariants of money, M1 to M4, of checkouts, C1, and of requests for returns, R1, each over all data. `manage.py verify` runs them.

A sale that is not finished may have money without a confirmed order: `unfinished` selects, of some order numbers, those
of such sales. It is called before the orders are read again, so that a sale that ends meanwhile is judged by its end.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager

from django.db import connections, transaction
from django.db.models import Count, F, Sum

from auction_project.kernel import findings
from orders import models, provider, reconciliation

BATCH_ROWS = 2_000

# Each line of each request for a return, beside what was sold and what has come back, in one moment.
_ASKED_FOR = """
    SELECT request.order_id, request.id, request.state, line.id, asked.quantity, line.quantity,
        (SELECT coalesce(sum(back.quantity), 0) FROM orders_returnline AS back WHERE back.line_id = line.id),
        (line.order_id, line.owner_id) = (request.order_id, request.owner_id),
        EXISTS (SELECT FROM orders_shipment AS shipment
            WHERE (shipment.order_id, shipment.owner_id) = (line.order_id, line.owner_id))
    FROM orders_returnrequest AS request JOIN orders_returnrequestline AS asked ON asked.request_id = request.id
        JOIN orders_orderline AS line ON line.id = asked.line_id
    ORDER BY request.order_id, request.id, line.id
"""

Unfinished = Callable[[Collection[str]], Collection[str]]

_Entry = models.JournalEntry.Kind
_State = models.PaymentState
_ENTRIES_OF_STATE: dict[str, tuple[frozenset[str], ...]] = {
    _State.STARTED: (frozenset(),),
    _State.CANCELLING: (frozenset(),),
    _State.DECLINED: (frozenset(),),
    _State.CANCELLED: (frozenset(),),
    _State.CAPTURED: (
        frozenset({_Entry.CAPTURE}),
        frozenset({_Entry.CAPTURE, _Entry.SALE}),
        frozenset({_Entry.CAPTURE, _Entry.SALE, _Entry.SALE_REFUND}),
    ),
    _State.REFUNDING: (frozenset({_Entry.CAPTURE}),),
    _State.REFUNDED: (
        frozenset({_Entry.CAPTURE, _Entry.REFUND}),
        frozenset({_Entry.CAPTURE, _Entry.SALE, _Entry.SALE_REFUND}),
    ),
}


def none_unfinished(_numbers: Collection[str]) -> Collection[str]:
    """`unfinished` for a system in which every sale has ended."""
    return ()


def check(unfinished: Unfinished = none_unfinished) -> list[findings.Finding]:
    """Check M1 to M4, C1 and R1. Raises errors.Unavailable when the provider cannot be reached."""
    bank = provider.current()
    return [
        check_money_of_orders(unfinished),
        check_ledger(),
        check_one_capture_per_order(bank),
        check_provider(bank),
        check_checkouts(),
        check_return_requests(),
    ]


def check_money_of_orders(unfinished: Unfinished = none_unfinished) -> findings.Finding:
    """M1: for each order, the money captured and not refunded is the price of the confirmed order less its refunds."""
    checked, suspects = _money_differences(None)
    if suspects:
        settled = sorted(set(suspects) - set(unfinished(sorted(suspects))))
        suspects = _money_differences(settled)[1] if settled else {}
    return findings.Finding("M1", checked, tuple(suspects[number] for number in sorted(suspects)))


def check_ledger() -> findings.Finding:
    """M2: debits equal credits in every entry and currency, and a payment has the entries of its state; it is REFUNDED when refunds
    have given all of it back, and no earlier."""
    with snapshot():
        sums = list(
            models.JournalEntry.objects.values("id", "payment_id", "postings__currency")
            .annotate(sides=Count("postings"), debits=Sum("postings__debit"), credits=Sum("postings__credit"))
            .order_by("id")
        )
        kinds: dict[str, set[str]] = {}
        for number, kind in models.JournalEntry.objects.values_list("payment_id", "kind"):
            kinds.setdefault(number, set()).add(kind)
        payment_states = list(
            models.Payment.objects.order_by("order_number").values_list("order_number", "state")
        )
        given_back = list(
            models.Payment.objects.filter(refunds__state=models.RefundState.DONE)
            .annotate(total=Sum("refunds__amount"))
            .order_by("order_number")
            .values_list("order_number", "state", "amount", "total")
        )
    violations = [
        f"{row['payment_id']}: entry {row['id']} has debits {row['debits']}, credits {row['credits']}"
        for row in sums
        if row["sides"] == 0 or row["debits"] != row["credits"]
    ]
    for number, state in payment_states:
        entries = kinds.get(number, set())
        if entries not in _ENTRIES_OF_STATE[state]:
            violations.append(f"{number}: a payment that is {state} has the entries {sorted(entries)}")
    for number, state, amount, total in given_back:
        if (state == _State.REFUNDED) != (total == amount):
            violations.append(f"{number}: a payment that is {state} has given {total} of {amount} back")
    return findings.Finding("M2", len(sums) + len(payment_states), tuple(violations))


def check_one_capture_per_order(bank: provider.PaymentProvider) -> findings.Finding:
    """M3: an order has at most one capture, in our ledger and at the provider."""
    ours = Counter(
        models.JournalEntry.objects.filter(kind=_Entry.CAPTURE).values_list("payment_id", flat=True)
    )
    theirs = Counter(record.reference for record in bank.list_payments() if record.is_captured)
    violations = [
        f"{number}: {ours[number]} captures in the ledger, {theirs[number]} at the provider"
        for number in sorted(ours.keys() | theirs.keys())
        if ours[number] > 1 or theirs[number] > 1
    ]
    return findings.Finding("M3", len(ours.keys() | theirs.keys()), tuple(violations))


def check_provider(bank: provider.PaymentProvider) -> findings.Finding:
    """M4: the provider's record of every payment agrees with ours."""
    report = reconciliation.reconcile(bank)
    return findings.Finding("M4", report.checked, report.differences)


def check_checkouts() -> findings.Finding:
    """C1: a paid checkout has one confirmed order, of its lines and its shipping. Any other one has none, but that it may be confirmed a moment before its checkout is paid."""
    checked = 0
    violations: list[str] = []
    with snapshot():
        last = ""
        while batch := list(models.Checkout.objects.filter(pk__gt=last).order_by("pk")[:BATCH_ROWS]):
            last = batch[-1].pk
            checked += len(batch)
            orders = _confirmed_orders(batch)
            for checkout in batch:
                violations += (
                    f"checkout {checkout.pk}: {flaw}"
                    for flaw in _flaws(checkout, orders.get(checkout.pk, []))
                )
    return findings.Finding("C1", checked, tuple(violations))


def check_return_requests() -> findings.Finding:
    """R1: a request for a return names units of its own part that were shipped, and no more than were sold; one that is running, no more
    than have not come back."""
    with connections[models.DATABASE].cursor() as cursor:
        cursor.execute(_ASKED_FOR)
        rows = cursor.fetchall()
    violations = [
        f"{number}: request {request_id} is {state} and names {asked} of {sold} of line {line_id}, of which {back} have come back"
        f"{'' if is_of_part else '; the line is not of its part'}{'' if is_shipped else '; it was not shipped'}"
        for number, request_id, state, line_id, asked, sold, back, is_of_part, is_shipped in rows
        if asked > sold
        or (state in ("ASKED", "ACCEPTED") and asked > sold - back)
        or not (is_of_part and is_shipped)
    ]
    return findings.Finding("R1", len(rows), tuple(violations))


def _confirmed_orders(checkouts: Sequence[models.Checkout]) -> dict[str, list[models.Order]]:
    """The orders that were confirmed, by the checkout whose sales they are of."""
    rows = models.CheckoutSale.objects.filter(checkout__in=checkouts)
    sales = dict(rows.values_list("sale_id", "checkout_id"))
    confirmed = models.Order.objects.filter(sale_id__in=sales, facts__kind=models.OrderFact.Kind.CONFIRMED)
    orders: dict[str, list[models.Order]] = {}
    for order in confirmed.order_by("number").prefetch_related("lines"):
        orders.setdefault(sales[order.sale_id], []).append(order)
    return orders


def _flaws(checkout: models.Checkout, orders: Sequence[models.Order]) -> Iterator[str]:
    state = models.CheckoutState(checkout.state)
    expected = {models.CheckoutState.PAID: (1,), models.CheckoutState.PAYING: (0, 1)}.get(state, (0,))
    if len(orders) not in expected:
        yield f"{state}, and its confirmed orders are {[order.number for order in orders]}"
    bought = sorted((line.product_id, line.quantity, line.price) for line in checkout.sold)
    terms = (checkout.user_id, checkout.total, checkout.shipping, checkout.currency)
    for order in orders:
        lines = sorted((line.product_id, line.quantity, line.amount) for line in order.lines.all())
        if lines != bought:
            yield f"the lines of its order {order.number} are {lines}, not {bought}"
        if (order.user_id, order.amount, order.shipping, order.currency) != terms:
            yield f"its order {order.number} is not for its buyer, total, shipping and currency"


def _money_differences(numbers: Collection[str] | None) -> tuple[int, dict[str, str]]:
    """How many orders were compared, and what differs, by order number. With `numbers`, of those orders alone."""
    held_rows = models.Posting.objects.filter(account=models.Posting.Account.PROVIDER)
    confirmed_rows = models.Order.objects.filter(facts__kind=models.OrderFact.Kind.CONFIRMED)
    refund_rows = models.Refund.objects.filter(state=models.RefundState.DONE)
    if numbers is not None:
        held_rows = held_rows.filter(entry__payment_id__in=numbers)
        confirmed_rows = confirmed_rows.filter(number__in=numbers)
        refund_rows = refund_rows.filter(payment__in=numbers)
    with snapshot():
        sums = held_rows.values_list("entry__payment_id", "currency").annotate(
            net=Sum(F("debit") - F("credit"))
        )
        held = {(number, currency): int(total) for number, currency, total in sums if total}
        confirmed = {
            (number, currency): amount
            for number, currency, amount in confirmed_rows.values_list("number", "currency", "amount")
        }
        refunds = refund_rows.values_list("payment_id", "payment__currency").annotate(total=Sum("amount"))
        for number, currency, total in refunds:
            confirmed[number, currency] = confirmed.get((number, currency), 0) - int(total)
    keys = held.keys() | confirmed.keys()
    differences = {
        number: f"{number}: {held.get((number, currency), 0)} {currency} held,"
        f" {confirmed.get((number, currency), 0)} {currency} in confirmed orders"
        for number, currency in sorted(keys)
        if held.get((number, currency), 0) != confirmed.get((number, currency), 0)
    }
    return len(keys), differences


@contextmanager
def snapshot() -> Iterator[None]:
    """All reads inside see the data of one moment."""
    with transaction.atomic(using=models.DATABASE), connections[models.DATABASE].cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield
