"""Runs every checker over one reading of the stores; first waits, if the caller says so, until nothing is under way.

If something is still under way when the time is up, the report says what is behind, and the checks that hold only in quiet
are left out. If the backlog of a consumer group has not moved at all in that time, E4 is violated.
"""

import time
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from django.db.models import QuerySet

from auction_project.kernel.findings import Finding
from auction_project.kernel.messaging import broker as brokers
from auction_project.kernel.messaging import transport as transports
from auction_project.processes import roles
from auction_project.verification import checkouts, desk, events, notices, sales, world
from bidding import runtime
from bidding.store import mongo
from bidding.verification import invariants as bidding_invariants
from inventory import invariants as inventory_invariants
from notifications import invariants as notification_invariants
from notifications import models as notifications
from orders import invariants as order_invariants
from orders import models as orders
from orders.desk import invariants as desk_invariants
from sagas import invariants as saga_invariants
from sagas import models as sagas

POLL_SECONDS = 0.5
AUCTIONS_PER_READ = 1000


class Report(msgspec.Struct, frozen=True):
    """The findings. `set_aside` sales were not finished and not judged; `parked` of them wait for an operator.

    `behind` says in words what was still under way when the time to settle was up; it is empty without such a time.
    """

    findings: tuple[Finding, ...]
    set_aside: int
    parked: int
    behind: tuple[str, ...] = ()


class _Backlog(msgspec.Struct):
    """What is under way: the number of messages that each group has not acknowledged, and all else in words."""

    lags: dict[str, int]
    others: list[str]

    def __bool__(self) -> bool:
        return bool(self.lags or self.others)


def verify(*, settle_seconds: float | None, answers: Path | None) -> Report:
    """Check everything. With `settle_seconds`, wait that long for quiet; then set aside parked sales only.

    The system goes on while it is checked: when a lot closes between the reading of its log and the reading of its notices,
    they do not match. So a settled system with violations is checked twice, and only violations of both times count.
    Raises errors.Unavailable, django.db.OperationalError when a store is unavailable.
    """
    report = _judge(settle_seconds, answers)
    if settle_seconds is None or not any(finding.violations for finding in report.findings):
        return report
    return _confirm(report, _judge(settle_seconds, answers))


def _confirm(first: Report, second: Report) -> Report:
    """The second report, with only those violations that the first one has, too."""
    earlier = {finding.invariant: set(finding.violations) for finding in first.findings}
    findings = tuple(
        Finding(
            finding.invariant,
            finding.checked,
            tuple(text for text in finding.violations if text in earlier.get(finding.invariant, ())),
        )
        for finding in second.findings
    )
    return msgspec.structs.replace(second, findings=findings)


def _judge(settle_seconds: float | None, answers: Path | None) -> Report:
    """Check everything once."""
    backlog, stuck = _Backlog({}, []), dict[str, int]()
    if settle_seconds is not None:
        backlog, stuck = _wait_for_quiet(settle_seconds)
    settled = settle_seconds is not None and not backlog
    stores = world.read()
    log_findings = bidding_invariants.check(answers, stores.follow)
    set_aside = stores.parked() if settled else stores.unfinished()
    findings = [
        *log_findings,
        *sales.check(stores, set_aside, settled=settled),
        *saga_invariants.check(now=datetime.now(UTC)),
        *inventory_invariants.check(),
        *order_invariants.check(_parked_numbers if settled else _unfinished_numbers),
        checkouts.check(now=datetime.now(UTC)),
        *events.check(
            stores, settled=settled, stuck=stuck, groups=0 if settle_seconds is None else len(roles.GROUPS)
        ),
        *notification_invariants.check(now=datetime.now(UTC)),
        notices.check(stores) if settled else Finding("N4", 0, ()),
        desk_invariants.check() if settled else Finding("D1", 0, ()),
        desk.check(stores) if settled else Finding("D2", 0, ()),
    ]
    behind = [f"group {group} has {lag} messages before it" for group, lag in backlog.lags.items()]
    return Report(_by_invariant(findings), len(set_aside), len(stores.parked()), (*behind, *backlog.others))


def _by_invariant(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """One finding for each invariant, in the order of the first ones; objects that several checkers saw count once."""
    merged: dict[str, Finding] = {}
    for finding in findings:
        first = merged.setdefault(finding.invariant, finding)
        if first is not finding:
            merged[finding.invariant] = Finding(
                finding.invariant, max(first.checked, finding.checked), first.violations + finding.violations
            )
    return tuple(merged.values())


def _unfinished_numbers(numbers: Collection[str]) -> Collection[str]:
    """Those of the order numbers whose saga has not ended by now."""
    return _numbers(numbers, sagas.Saga.objects.exclude(status__in=world.FINAL))


def _parked_numbers(numbers: Collection[str]) -> Collection[str]:
    """Those of the order numbers whose saga is parked now."""
    return _numbers(numbers, sagas.Saga.objects.filter(status="PARKED"))


def _numbers(numbers: Collection[str], rows: "QuerySet[sagas.Saga]") -> set[str]:
    return set(rows.filter(order_number__in=numbers).values_list("order_number", flat=True))


def _wait_for_quiet(seconds: float) -> tuple[_Backlog, dict[str, int]]:
    """Wait until nothing is under way, at most `seconds`; what still is, and the groups whose backlog has never moved."""
    deadline = time.monotonic() + seconds
    transport = transports.from_settings()
    try:
        first = latest = _backlog(transport)
        stuck = set(first.lags)
        while latest and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            latest = _backlog(transport)
            stuck = {group for group in stuck if latest.lags.get(group) == first.lags[group]}
    finally:
        transport.close()
    return latest, {group: latest.lags[group] for group in sorted(stuck) if latest}


def _backlog(transport: brokers.Broker) -> _Backlog:
    """What is under way, by cheap questions to each store. The log itself is read only when all else is quiet."""
    lags = {group: transport.lag(group, roles.subscription(group).topics) for group in roles.GROUPS}
    waiting = {
        "sales are under way": sagas.Saga.objects.exclude(status__in=(*world.FINAL, "PARKED")),
        "refunds wait for the payment provider": orders.Refund.objects.filter(state="PENDING"),
        "e-mails wait to be sent": notifications.Email.objects.filter(
            state="PENDING",  # to users with a confirmed address; the others wait for one
            notification__user_id__in=notifications.Account.objects.filter(
                email_verified=True, closed=False
            ).values("user_id"),
        ),
        **{
            f"events of {table._meta.app_label} wait to be published": table.objects.filter(
                published_at__isnull=True
            )
            for table in roles.outboxes()
        },
    }
    others = [text for text, rows in waiting.items() if rows.exists()]
    backlog = _Backlog({group: lag for group, lag in lags.items() if lag}, others)
    if not backlog and runtime.call(_has_unpublished_entries(runtime.current().store)):
        others.append("entries of the bid log wait to be published")
    return backlog


async def _has_unpublished_entries(log_store: mongo.MongoStore) -> bool:
    """Whether an entry follows the mark of an auction that has not ended."""
    read = 0
    while marks := await log_store.auctions.unfinished_marks(skip=read, limit=AUCTIONS_PER_READ):
        if await log_store.bids.read((auction_id, mark + 1) for auction_id, mark in marks.items()):
            return True
        read += len(marks)
    return False
