"""Sends the tasks of a group of sagas: a Celery chain, each task on the queue of the app that it calls. Knows names, not tasks.

Best effort: a chain may be lost, doubled or late, and if the broker is unavailable, it is only logged and returned. The caller
has stored before when the sweep sends the chain again.
"""

import itertools
import operator
from collections.abc import Iterable, Sequence

import celery
import kombu

from auction_project.kernel import logs
from auction_project.kernel.messaging import failure, groups
from sagas import engine

RUN_STEP = "sagas.run_step"
MAX_WAITING_TASKS = (
    100  # a longer queue is slow, and has not lost its tasks: sending again would make it slower
)

log = logs.get(__name__)


def send(*, saga_ids: Sequence[str], legs: Sequence[engine.Leg]) -> list[str]:
    """Send a chain that makes the calls `legs` in order for each of the sagas; those whose chain the broker did not take.

    More than groups.MAX_MEMBERS of them get several chains. Consecutive calls on one queue are one task, named by the first.
    """
    unsent: list[str] = []
    for members in groups.split(saga_ids):
        try:
            celery.chain(*_tasks(members, legs)).apply_async()
        except Exception as error:
            if failure.classify(error) is not failure.Fate.OUTAGE:
                raise
            log.warning("chain_not_sent", saga_ids=list(members), error=repr(error))
            unsent += members
    return unsent


def _tasks(saga_ids: Sequence[str], legs: Sequence[engine.Leg]) -> list[celery.Signature]:
    return [
        celery.current_app.signature(
            RUN_STEP,
            kwargs={"saga_ids": list(saga_ids), "step": next(same_queue).name},
            immutable=True,
            queue=queue,
        )
        for queue, same_queue in itertools.groupby(legs, key=operator.attrgetter("queue"))
    ]


def full_queues(names: Iterable[str]) -> frozenset[str]:
    """Those of the queues in which more than MAX_WAITING_TASKS tasks wait. Raises when the broker is unavailable."""
    return frozenset(name for name, count in count_waiting(names).items() if count > MAX_WAITING_TASKS)


def count_waiting(names: Iterable[str]) -> dict[str, int]:
    """How many tasks wait in each of the queues. Raises when the broker is unavailable."""
    with celery.current_app.connection_for_read() as connection:
        return {name: _count_waiting(connection, name) for name in names}


def _count_waiting(connection: kombu.Connection, name: str) -> int:
    try:
        with connection.channel() as channel:  # one for each queue: a missing queue closes the channel
            return int(channel.queue_declare(queue=name, passive=True).message_count)
    except connection.channel_errors:
        return 0
