"""Celery's Redis transport, with two things mended. It survives what is no message: one junk element in a list, whoever
put it there, would end the worker that takes it, and the next; one among the unacknowledged would keep the others from
being delivered again. And it makes one client a channel, not one a command.

Kombu has taken the element from the list when it finds that it cannot be read; so it is told of, and gone. The client
library finds this class by the scheme of the broker's URL, so that `rediss` keeps its meaning and `amqp` is untouched.
"""

import contextlib
from collections.abc import Iterator
from queue import Empty
from typing import Any

from kombu import transport
from kombu.transport import redis

from auction_project.kernel import logs

MAX_SHOWN_CHARACTERS = 200
TASK_QUEUES: set[str] = set()
_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, RecursionError)  # what kombu meets in junk

log = logs.get(__name__)


class QoS(redis.QoS):
    """Delivers again what nobody acknowledged, and drops what nobody can read."""

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:
        try:
            super().restore_by_tag(tag, client, leftmost)
        except _UNREADABLE as error:
            log.error("task_message_dropped", unacknowledged=True, error=repr(error)[:MAX_SHOWN_CHARACTERS])
            self._remove_from_indices(tag).execute()


class Channel(redis.Channel):
    """Reads past what is no JSON, and asks by one client."""

    QoS = QoS
    _commands: Any = None

    @contextlib.contextmanager
    def conn_or_acquire(self, client: Any = None) -> Iterator[Any]:
        """A client takes a connection from the pool for each command, so one serves all threads; to make one costs more
        than most commands."""
        if client is None and (self._commands is None or self._commands.connection_pool is not self.pool):
            self._commands = self._create_client()
        yield client or self._commands

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)
        except _UNREADABLE as error:
            log.error("task_message_dropped", error=repr(error)[:MAX_SHOWN_CHARACTERS])
            raise Empty from error


class Transport(redis.Transport):
    """Delivers what Celery can take for a task, or for an answer to a command; anything else it drops."""

    Channel = Channel

    def _deliver(self, message: Any, queue: str) -> None:
        if _is_message(message, task=queue in TASK_QUEUES):
            super()._deliver(message, queue)
        else:
            shown = repr(message)[:MAX_SHOWN_CHARACTERS]
            log.error("task_message_dropped", queue=queue, message=shown)


def install(queues: tuple[str, ...]) -> None:
    """Use this transport for Redis; what comes from `queues` is a task or nothing."""
    TASK_QUEUES.update(queues)
    for scheme in ("redis", "rediss"):
        transport.TRANSPORT_ALIASES[scheme] = f"{__name__}:{Transport.__qualname__}"


def _is_message(message: Any, *, task: bool) -> bool:
    """Whether it has all that kombu and Celery take for granted in one."""
    if not isinstance(message, dict):
        return False
    body, headers, properties = message.get("body"), message.get("headers"), message.get("properties")
    if not isinstance(body, str) or not isinstance(headers, dict) or not isinstance(properties, dict):
        return False
    if not isinstance(properties.get("delivery_tag"), str) or not isinstance(
        properties.get("delivery_info"), dict
    ):
        return False
    return not task or all(isinstance(headers.get(name), str) for name in ("id", "task"))
