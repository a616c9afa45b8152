"""`manage.py relay`: publishes every outbox and the bid log, and keeps the stores of events small."""

import functools
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from auction_project.accounts import retention as accounts
from auction_project.kernel.messaging import maintenance, metrics, outbox, relay, selectors
from auction_project.kernel.messaging import retention as dead_letters
from auction_project.kernel.messaging import transport as transports
from auction_project.processes import figures, registry, roles, running, store_probe
from bidding import metrics as bidding
from bidding.publishing import relay as log_relay
from notifications import retention as emails
from orders import retention as devices


def _maintenance() -> maintenance.Maintenance:
    subscriptions = [roles.subscription(group) for group in roles.GROUPS]
    return maintenance.Maintenance(
        transports.from_settings(),
        groups={topic: roles.groups_of_topic(topic) for each in subscriptions for topic in each.topics},
        outboxes=roles.outboxes(),
        inboxes=[each.inbox for each in subscriptions if each.inbox is not None],
        prunes=[
            dead_letters.prune,
            emails.prune,
            accounts.prune_sessions,
            accounts.prune_personal_data_views,
            accounts.prune_sightings,
            devices.prune_devices,
        ],
    )


def _readers() -> dict[str, tuple[str, ...]]:
    """By group, the topics that it reads; that of the dead letters is one of them."""
    return {group: roles.subscription(group).topics for group in roles.GROUPS}


def _measure_backlogs() -> None:
    """What waits in the stores, for the metrics of this role."""
    tables = {(table.objects.db,): table for table in roles.outboxes()}
    metrics.OUTBOX_WAITING.measure_by(
        lambda: {database: outbox.count_waiting(table) for database, table in tables.items()}
    )
    metrics.OUTBOX_OLDEST.measure_by(
        lambda: {
            database: outbox.oldest_seconds(table, now=datetime.now(UTC))
            for database, table in tables.items()
        }
    )
    metrics.DEAD_LETTERS.measure_by(lambda: {(): selectors.list_waiting().count()})


def _unpublished(relays: Sequence[relay.OutboxRelay]) -> registry.Figure:
    waiting = sum(each.unpublished for each in relays) + figures.total(bidding.entries_unpublished)
    return registry.Figure(waiting, "events")


def _published() -> registry.Figure:
    done = figures.total(metrics.PUBLISHED) + figures.total(bidding.entries_published)
    return registry.Figure(done, "events")


class Command(running.RoleCommand):
    help = (
        "Publish the outboxes and the bid log, and delete what is past its days. Any number may run; one at a time "
        "publishes each source."
    )

    def handle(self, *_args: object, **_options: object) -> None:
        transport = transports.from_settings()
        required = roles.BY_NAME["relay"].needs
        relays: list[relay.OutboxRelay] = []  # as far as their threads have made them

        def make_relay(table: type[outbox.OutboxRow]) -> relay.OutboxRelay:
            made = relay.OutboxRelay(table, transport)
            relays.append(made)
            return made

        _measure_backlogs()
        loops: list[Callable[[], running.Loop]] = [
            functools.partial(make_relay, table) for table in roles.outboxes()
        ]
        loops += [
            lambda: log_relay.LogRelay(transport, readers=_readers()),
            _maintenance,
            lambda: store_probe.StoreProbe((*required, "redis", "celery")),
        ]
        about = registry.About(lag=functools.partial(_unpublished, relays), work=_published)
        sys.exit(running.run("relay", required, loops, running.stop_on_signals(), about=about))
