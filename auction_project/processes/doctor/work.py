"""Whether the work goes on: migrations, topics, backlogs, and what waits for an operator."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import close_old_connections, connections

from auction_project.kernel import contracts, databases, instants
from auction_project.kernel.messaging import broker as brokers
from auction_project.kernel.messaging import dead_letters, outbox
from auction_project.kernel.messaging import selectors as messaging
from auction_project.kernel.messaging import transport as transports
from auction_project.processes import needs, roles
from auction_project.processes.doctor import checking, stores
from bidding.store import mongo
from sagas import definitions, dispatcher
from sagas import selectors as sagas

LAG_MESSAGES = 1_000
OLD_SECONDS = 10.0  # of what waits to be published
STUCK_SECONDS = 30.0  # of a saga: invariant S5
WAITING_TASKS = 1_000
MAX_AUCTIONS = 500  # of which the bid log is compared with what is published


def checks() -> list[checking.Check]:
    """All of them ask stores, and are skipped without."""
    return [
        *(
            checking.Check(
                name=f"migrations:{alias}",
                run=lambda alias=alias: migrations(alias),  # type: ignore[misc]
                remedy="Run manage.py migrate_all.",
                needs=(f"postgres:{alias}",),
            )
            for alias in databases.ALIASES
        ),
        checking.Check(
            name="bid log",
            run=lambda: asyncio.run(bid_log(now=instants.now())),
            remedy="Run manage.py migrate_all.",
            needs=("mongodb",),
        ),
        checking.Check(
            name="topics", run=lambda: _with_broker(topics), remedy="Run manage.py topics.", needs=("broker",)
        ),
        checking.Check(
            name="consumers", run=lambda: _with_broker(lag), remedy="Run manage.py topics.", needs=("broker",)
        ),
        *(
            checking.Check(
                name=f"outbox:{table.objects.db}",
                run=lambda table=table: _with_rows(lambda: outbox_of(table)),  # type: ignore[misc]
                remedy="Look at the log of the role relay.",
                needs=(f"postgres:{table.objects.db}",),
            )
            for table in roles.outboxes()
        ),
        checking.Check(
            name="sagas",
            run=lambda: _with_rows(lambda: under_way(datetime.now(UTC))),
            remedy="Look at the log of the role worker.",
            needs=("postgres:sagas",),
        ),
        checking.Check(
            name="parked sales",
            run=lambda: _with_rows(parked),
            remedy="Look at the admin, Sagas.",
            needs=("postgres:sagas", "postgres:default"),
        ),
        checking.Check(
            name="dead letters",
            run=lambda: _with_rows(dead),
            remedy="Look at the admin, Dead letters.",
            needs=("postgres:default",),
        ),
        checking.Check(name="tasks", run=tasks, remedy="Look at Celery's broker.", needs=("celery",)),
    ]


def migrations(alias: str) -> checking.Verdict:
    """Whether the tables of the database are those of this code."""
    with stores.session(alias) as connection:
        pending = needs.pending_migrations(connection)
    if pending:
        return checking.fail(
            f"{pending} migrations wait. Roles that need this database do not start.",
            "Run manage.py migrate_all.",
        )
    return checking.ok("All migrations are applied.")


async def bid_log(*, now: int) -> checking.Verdict:
    """Whether the bid log has its indexes, and is published as far as it is written. `now`: milliseconds since the epoch."""
    store = mongo.MongoStore(settings.MONGODB_URL, settings.MONGODB_DATABASE)
    try:
        if not await store.bids.has_unique_keys():
            return checking.fail(
                "It has no indexes, so no bid is taken.",
                "Run manage.py migrate_all, and start the roles again.",
            )
        marks = await store.auctions.unfinished_marks(skip=0, limit=MAX_AUCTIONS)
        waiting = await store.bids.read((auction_id, mark + 1) for auction_id, mark in marks.items())
    finally:
        await store.close()
    oldest = max(((now - entry.at) / 1000 for entry in waiting.values()), default=0.0)
    if oldest > OLD_SECONDS:
        return checking.warn(
            f"{len(waiting)} auctions have entries that are not published, the oldest for {oldest:.0f} s.",
            "Start a process of the role relay, or read its log.",
        )
    return checking.ok("It has its indexes, and is published.")


def topics(broker: brokers.Broker) -> checking.Verdict:
    """Whether every topic exists, where the transport needs that."""
    names = (*contracts.events.TOPICS, *dead_letters.topics_of(contracts.events.TOPICS))
    if missing := broker.missing(names):
        return checking.warn(f"Topics are missing: {', '.join(missing)}.", "Run manage.py topics --create.")
    return checking.ok(f"All {len(names)} topics are there.")


def lag(broker: brokers.Broker) -> checking.Verdict:
    """How far the groups of consumers are behind."""
    behind = {group: broker.lag(group, roles.subscription(group).topics) for group in roles.GROUPS}
    if late := {group: messages for group, messages in behind.items() if messages > LAG_MESSAGES}:
        said = ", ".join(f"{messages} for {group}" for group, messages in late.items())
        return checking.warn(
            f"Messages wait: {said}.",
            "Start more processes of the role consume, or read its log: a group may be halted.",
        )
    return checking.ok(f"{sum(behind.values())} messages wait.")


def outbox_of(table: type[outbox.OutboxRow]) -> checking.Verdict:
    """Whether the relay publishes what the database holds."""
    count, oldest = outbox.count_waiting(table), outbox.oldest_seconds(table, now=datetime.now(UTC))
    if oldest > OLD_SECONDS:
        return checking.warn(
            f"{count} messages wait to be published, the oldest for {oldest:.0f} s.",
            "Start a process of the role relay, or read its log.",
        )
    return checking.ok(f"{count} messages wait to be published.")


def under_way(now: datetime) -> checking.Verdict:
    """Whether sales go on."""
    count, oldest = sagas.list_under_way().count(), sagas.oldest_seconds(now)
    if oldest > STUCK_SECONDS:
        return checking.warn(
            f"{count} sales are under way, the oldest for {oldest:.0f} s.",
            "Start processes of the roles worker and beat, or read the oldest saga's timeline in the admin.",
        )
    return checking.ok(f"{count} sales are under way.")


def parked() -> checking.Verdict:
    """Whether sales wait for an operator."""
    if count := sagas.count_parked():
        return checking.warn(
            f"{count} sales wait for an operator.",
            "Open the admin, Sagas: retry, resume or undo, with a reason.",
        )
    return checking.ok("No sale waits for an operator.")


def dead() -> checking.Verdict:
    """Whether messages wait that no handler could take."""
    if count := messaging.list_waiting().count():
        return checking.warn(
            f"{count} dead letters wait for an operator.",
            "Open the admin, Dead letters: mend the cause, then replay or dismiss them.",
        )
    return checking.ok("No dead letter waits.")


def tasks() -> checking.Verdict:
    """How many tasks of the sales no worker has taken."""
    counts = dispatcher.count_waiting(definitions.QUEUES)
    if long := {queue: count for queue, count in counts.items() if count > WAITING_TASKS}:
        said = ", ".join(f"{count} in {queue}" for queue, count in long.items())
        return checking.warn(f"Tasks wait: {said}.", "Start more processes of the role worker.")
    return checking.ok(f"{sum(counts.values())} tasks wait.")


def _with_broker(check: Callable[[brokers.Broker], checking.Verdict]) -> checking.Verdict:
    transport = transports.from_settings()
    try:
        return check(transport)
    finally:
        transport.close()


def _with_rows(check: Callable[[], Any]) -> checking.Verdict:
    """Run a check that reads by Django's own connections, and close those of this thread."""
    try:
        verdict: checking.Verdict = check()
        return verdict
    finally:
        close_old_connections()
        connections.close_all()
