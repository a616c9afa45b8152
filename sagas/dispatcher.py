"""Sends the tasks of a saga: a Celery chain, each task on the queue of the app that it calls. Knows names, not tasks.

Promises nothing: a chain may be lost, doubled or late, and a broker that is away costs a log line. Who sends has
written down before when the sweep shall send again.
"""

import itertools
import operator
from collections.abc import Iterable, Sequence

import celery
import kombu

from auction_project.kernel import logs
from auction_project.kernel.messaging import failure
from sagas import engine

RUN_STEP = "sagas.run_step"
MAX_WAITING_TASKS = 100  # a longer queue is slow rather than emptied: to send again would make it slower

log = logs.get(__name__)


def send(*, saga_id: str, legs: Sequence[engine.Leg]) -> None:
    """Have `legs` called one after the other: one task for each stretch of them on one queue, named by its first."""
    app = celery.current_app
    stretches = itertools.groupby(legs, key=operator.attrgetter("queue"))
    tasks = [
        app.signature(
            RUN_STEP, kwargs={"saga_id": saga_id, "step": next(stretch).name}, immutable=True, queue=queue
        )
        for queue, stretch in stretches
    ]
    try:
        celery.chain(*tasks).apply_async()
    except Exception as error:
        if failure.classify(error) is not failure.Fate.OUTAGE:
            raise
        log.warning("chain_not_sent", saga_id=saga_id, error=repr(error))


def full_queues(names: Iterable[str]) -> frozenset[str]:
    """Those of the queues in which more than MAX_WAITING_TASKS tasks wait. Raises when the broker is away."""
    with celery.current_app.connection_for_read() as connection:
        return frozenset(name for name in names if _waiting(connection, name) > MAX_WAITING_TASKS)


def _waiting(connection: kombu.Connection, name: str) -> int:
    try:
        with connection.channel() as channel:  # one each: asking for a queue that is not there closes it
            return int(channel.queue_declare(queue=name, passive=True).message_count)
    except connection.channel_errors:
        return 0
