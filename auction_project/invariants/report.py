"""Runs every checker over one reading of the stores; waits first, when asked to, until nothing is under way."""

import time
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from django.db.models import QuerySet

from auction_project import roles
from auction_project.invariants import events, sales, world
from auction_project.messaging import broker as brokers
from auction_project.verification import Finding
from bidding import checks as bidding_checks
from bidding import runtime, store
from inventory import checks as inventory_checks
from notifications import checks as notification_checks
from notifications import models as notices
from orders import checks as order_checks
from sagas import checks as saga_checks
from sagas import models as sagas

POLL_SECONDS = 0.5
AUCTIONS_PER_READ = 1000


class Report(msgspec.Struct, frozen=True):
    """What was found; `set_aside` sales were not finished and not judged, `parked` of them wait for an operator."""

    findings: tuple[Finding, ...]
    set_aside: int
    parked: int


def verify(*, settle_seconds: float | None, answers: Path | None) -> Report:
    """Check everything. With `settle_seconds`, wait that long for quiet and set aside only what is parked.

    Raises errors.Unavailable, django.db.OperationalError when a store is away.
    """
    settled = settle_seconds is not None
    if settle_seconds is not None:
        _wait_for_quiet(settle_seconds)
    found = world.read()
    of_the_log = bidding_checks.check(answers, found.follow)
    set_aside = found.parked() if settled else found.unfinished()
    findings = [
        *of_the_log,
        *sales.check(found, set_aside, settled=settled),
        *saga_checks.check(now=datetime.now(UTC)),
        *inventory_checks.check(),
        *order_checks.check(_parked_numbers if settled else _unfinished_numbers),
        *events.check(found, settled=settled),
        *notification_checks.check(),
    ]
    return Report(_by_invariant(findings), len(set_aside), len(found.parked()))


def _by_invariant(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """One finding for each invariant, in the order of their first; what several looked at counts once."""
    merged: dict[str, Finding] = {}
    for finding in findings:
        first = merged.setdefault(finding.invariant, finding)
        if first is not finding:
            merged[finding.invariant] = Finding(
                finding.invariant, max(first.checked, finding.checked), first.violations + finding.violations
            )
    return tuple(merged.values())


def _unfinished_numbers(asked: Collection[str]) -> Collection[str]:
    """Which of the order numbers belong to a saga that has not ended, as it is now:"""
    return _numbers(asked, sagas.Saga.objects.exclude(status__in=world.FINAL))


def _parked_numbers(asked: Collection[str]) -> Collection[str]:
    return _numbers(asked, sagas.Saga.objects.filter(status="PARKED"))


def _numbers(asked: Collection[str], rows: "QuerySet[sagas.Saga]") -> set[str]:
    return set(rows.filter(order_number__in=asked).values_list("order_number", flat=True))


def _wait_for_quiet(seconds: float) -> None:
    """Return when nothing is under way, or after `seconds`: what then still moves shows as a violation."""
    deadline = time.monotonic() + seconds
    transport = brokers.from_settings()
    try:
        while time.monotonic() < deadline and _is_busy(transport):
            time.sleep(POLL_SECONDS)
    finally:
        transport.close()


def _is_busy(transport: brokers.Broker) -> bool:
    """Whether anything is under way, by what each store can tell at once: the log itself is read when all is quiet."""
    return (
        sagas.Saga.objects.exclude(status__in=(*world.FINAL, "PARKED")).exists()
        or any(table.objects.filter(published_at__isnull=True).exists() for table in roles.outboxes())
        or any(transport.lag(group, roles.subscription(group).topics) for group in roles.GROUPS)
        or notices.Email.objects.filter(
            state__in=("PENDING", "SENDING"),  # of those that have an address: the others wait for one
            notification__user_id__in=notices.Account.objects.filter(
                email_verified=True, closed=False
            ).values("user_id"),
        ).exists()
        or runtime.call(_has_unpublished_entries(runtime.current().store))
    )


async def _has_unpublished_entries(log_store: store.MongoStore) -> bool:
    """Whether an entry follows the mark of an auction that has not ended."""
    last = ""
    while marks := await log_store.marks(after=last, limit=AUCTIONS_PER_READ, unfinished=True):
        if await log_store.read((auction_id, mark + 1) for auction_id, mark in marks.items()):
            return True
        last = max(marks)
    return False
