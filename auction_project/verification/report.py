"""Runs every checker over one reading of the stores; waits first, when asked to, until nothing is under way.

If something still moves when the time is up, nothing that would only follow from quiet is judged: the report says what
is behind. A group of consumers whose backlog has not moved at all in that time is no backlog but E4 broken.
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
from auction_project.verification import events, notices, sales, world
from bidding import runtime
from bidding.store import mongo
from bidding.verification import invariants as bidding_invariants
from inventory import invariants as inventory_invariants
from notifications import invariants as notification_invariants
from notifications import models as notifications
from orders import invariants as order_invariants
from sagas import invariants as saga_invariants
from sagas import models as sagas

POLL_SECONDS = 0.5
AUCTIONS_PER_READ = 1000


class Report(msgspec.Struct, frozen=True):
    """What was found; `set_aside` sales were not finished and not judged, `parked` of them wait for an operator.

    `behind` is what was still under way, in words, when the time to settle was up; empty when that was not asked for.
    """

    findings: tuple[Finding, ...]
    set_aside: int
    parked: int
    behind: tuple[str, ...] = ()


class _Backlog(msgspec.Struct):
    """What is under way: the messages before each group that has some, and all else in words."""

    lags: dict[str, int]
    others: list[str]

    def __bool__(self) -> bool:
        return bool(self.lags or self.others)


def verify(*, settle_seconds: float | None, answers: Path | None) -> Report:
    """Check everything. With `settle_seconds`, wait that long for quiet; then set aside only what is parked.

    A house goes on while it is judged: when a lot closes between the reading of its log and that of its notices, they
    do not match. So what looks broken in a settled house is looked at twice, and only what is broken both times counts.
    Raises errors.Unavailable, django.db.OperationalError when a store is away.
    """
    report = _judge(settle_seconds, answers)
    if settle_seconds is None or not any(finding.violations for finding in report.findings):
        return report
    return _confirm(report, _judge(settle_seconds, answers))


def _confirm(first: Report, second: Report) -> Report:
    """The second report, with those violations that the first has, too."""
    known = {finding.invariant: set(finding.violations) for finding in first.findings}
    findings = tuple(
        Finding(
            found.invariant,
            found.checked,
            tuple(said for said in found.violations if said in known.get(found.invariant, ())),
        )
        for found in second.findings
    )
    return msgspec.structs.replace(second, findings=findings)


def _judge(settle_seconds: float | None, answers: Path | None) -> Report:
    """One look at everything."""
    backlog, stuck = _Backlog({}, []), dict[str, int]()
    if settle_seconds is not None:
        backlog, stuck = _wait_for_quiet(settle_seconds)
    settled = settle_seconds is not None and not backlog
    found = world.read()
    of_the_log = bidding_invariants.check(answers, found.follow)
    set_aside = found.parked() if settled else found.unfinished()
    findings = [
        *of_the_log,
        *sales.check(found, set_aside, settled=settled),
        *saga_invariants.check(now=datetime.now(UTC)),
        *inventory_invariants.check(),
        *order_invariants.check(_parked_numbers if settled else _unfinished_numbers),
        *events.check(
            found, settled=settled, stuck=stuck, groups=0 if settle_seconds is None else len(roles.GROUPS)
        ),
        *notification_invariants.check(),
        *([notices.check(found)] if settled else []),
    ]
    behind = [f"group {group} has {lag} messages before it" for group, lag in backlog.lags.items()]
    return Report(_by_invariant(findings), len(set_aside), len(found.parked()), (*behind, *backlog.others))


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


def _wait_for_quiet(seconds: float) -> tuple[_Backlog, dict[str, int]]:
    """Wait until nothing is under way, or for `seconds`: what then still is, and the groups that stood still throughout."""
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
    """What is under way, by what each store can tell at once: the log itself is read when all else is quiet."""
    lags = {group: transport.lag(group, roles.subscription(group).topics) for group in roles.GROUPS}
    waiting = {
        "sales are under way": sagas.Saga.objects.exclude(status__in=(*world.FINAL, "PARKED")),
        "e-mails wait to be sent": notifications.Email.objects.filter(
            state__in=("PENDING", "SENDING"),  # of those that have an address: the others wait for one
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
    others = [what for what, rows in waiting.items() if rows.exists()]
    found = _Backlog({group: lag for group, lag in lags.items() if lag}, others)
    if not found and runtime.call(_has_unpublished_entries(runtime.current().store)):
        others.append("entries of the bid log wait to be published")
    return found


async def _has_unpublished_entries(log_store: mongo.MongoStore) -> bool:
    """Whether an entry follows the mark of an auction that has not ended."""
    last = ""
    while marks := await log_store.auctions.marks(after=last, limit=AUCTIONS_PER_READ, unfinished=True):
        if await log_store.bids.read((auction_id, mark + 1) for auction_id, mark in marks.items()):
            return True
        last = max(marks)
    return False
