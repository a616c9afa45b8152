"""The invariants of money, M1 to M4, each over all data. `manage.py verify` runs them.

A sale that is not finished may have money without a confirmed order: `unfinished` selects, of some order numbers, those
of such sales. It is called before the orders are read again, so that a sale that ends meanwhile is judged by its end.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from django.db import connections, transaction
from django.db.models import Count, F, Sum

from auction_project.kernel import findings
from orders import models, provider, reconciliation

Unfinished = Callable[[Collection[str]], Collection[str]]

_Entry = models.JournalEntry.Kind
_State = models.PaymentState
_ENTRIES_OF_STATE: dict[str, tuple[frozenset[str], ...]] = {
    _State.STARTED: (frozenset(),),
    _State.CANCELLING: (frozenset(),),
    _State.DECLINED: (frozenset(),),
    _State.CANCELLED: (frozenset(),),
    _State.CAPTURED: (frozenset({_Entry.CAPTURE}), frozenset({_Entry.CAPTURE, _Entry.SALE})),
    _State.REFUNDING: (frozenset({_Entry.CAPTURE}),),
    _State.REFUNDED: (frozenset({_Entry.CAPTURE, _Entry.REFUND}),),
}


def none_unfinished(_numbers: Collection[str]) -> Collection[str]:
    """`unfinished` for a system in which every sale has ended."""
    return ()


def check(unfinished: Unfinished = none_unfinished) -> list[findings.Finding]:
    """Check M1 to M4. Raises errors.Unavailable when the provider cannot be reached."""
    bank = provider.current()
    return [
        check_money_of_orders(unfinished),
        check_ledger(),
        check_one_capture_per_order(bank),
        check_provider(bank),
    ]


def check_money_of_orders(unfinished: Unfinished = none_unfinished) -> findings.Finding:
    """M1: for each order, the money captured and not refunded is the price of the confirmed order."""
    checked, suspects = _money_differences(None)
    if suspects:
        settled = sorted(set(suspects) - set(unfinished(sorted(suspects))))
        suspects = _money_differences(settled)[1] if settled else {}
    return findings.Finding("M1", checked, tuple(suspects[number] for number in sorted(suspects)))


def check_ledger() -> findings.Finding:
    """M2: debits equal credits in every entry and currency, and a payment has the entries of its state."""
    with _snapshot():
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
    violations = [
        f"{row['payment_id']}: entry {row['id']} has debits {row['debits']}, credits {row['credits']}"
        for row in sums
        if row["sides"] == 0 or row["debits"] != row["credits"]
    ]
    for number, state in payment_states:
        entries = kinds.get(number, set())
        if entries not in _ENTRIES_OF_STATE[state]:
            violations.append(f"{number}: a payment that is {state} has the entries {sorted(entries)}")
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


def _money_differences(numbers: Collection[str] | None) -> tuple[int, dict[str, str]]:
    """How many orders were compared, and what differs, by order number. With `numbers`, of those orders alone."""
    held_rows = models.Posting.objects.filter(account=models.Posting.Account.PROVIDER)
    confirmed_rows = models.Order.objects.filter(facts__kind=models.OrderFact.Kind.CONFIRMED)
    if numbers is not None:
        held_rows = held_rows.filter(entry__payment_id__in=numbers)
        confirmed_rows = confirmed_rows.filter(number__in=numbers)
    with _snapshot():
        sums = held_rows.values_list("entry__payment_id", "currency").annotate(
            net=Sum(F("debit") - F("credit"))
        )
        held = {(number, currency): int(total) for number, currency, total in sums if total}
        confirmed = {
            (number, currency): amount
            for number, currency, amount in confirmed_rows.values_list("number", "currency", "amount")
        }
    keys = held.keys() | confirmed.keys()
    differences = {
        number: f"{number}: {held.get((number, currency), 0)} {currency} held,"
        f" {confirmed.get((number, currency), 0)} {currency} in confirmed orders"
        for number, currency in sorted(keys)
        if held.get((number, currency), 0) != confirmed.get((number, currency), 0)
    }
    return len(keys), differences


@contextmanager
def _snapshot() -> Iterator[None]:
    """All reads inside see the data of one moment."""
    with transaction.atomic(using=models.DATABASE), connections[models.DATABASE].cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield
