"""Celery's Redis transport with two changes. It survives junk: in kombu's own, one junk element in a list ends each worker
that takes it, and one among the unacknowledged messages keeps the others from being delivered again. And it makes one
client per channel, not one per command.

When kombu finds that an element cannot be read, it has removed it from the list already; so the element is logged and
dropped. Kombu finds this class by the scheme of the broker's URL, so that `rediss` keeps its meaning and `amqp` is
untouched.
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
_UNREADABLE = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    RecursionError,
)  # what kombu raises for junk

log = logs.get(__name__)


class QoS(redis.QoS):
    """Delivers unacknowledged messages again, and drops junk among them."""

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:
        try:
            super().restore_by_tag(tag, client, leftmost)
        except _UNREADABLE as error:
            log.error("task_message_dropped", unacknowledged=True, error=repr(error)[:MAX_SHOWN_CHARACTERS])
            self._remove_from_indices(tag).execute()


class Channel(redis.Channel):
    """Drops elements that are no JSON, and uses one client for all commands."""

    QoS = QoS
    _commands: Any = None

    @contextlib.contextmanager
    def conn_or_acquire(self, client: Any = None) -> Iterator[Any]:
        """The channel's one client. It takes a connection from the pool for each command, so it serves all threads; to make
        a client costs more than most commands."""
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
    """Delivers messages that Celery can read as a task, or as the reply to a command, and drops all others."""

    Channel = Channel

    def _deliver(self, message: Any, queue: str) -> None:
        if _is_message(message, task=queue in TASK_QUEUES):
            super()._deliver(message, queue)
        else:
            shown = repr(message)[:MAX_SHOWN_CHARACTERS]
            log.error("task_message_dropped", queue=queue, message=shown)


def install(queues: tuple[str, ...]) -> None:
    """Use this transport for Redis. A message of one of `queues` is dropped unless it is a task."""
    TASK_QUEUES.update(queues)
    for scheme in ("redis", "rediss"):
        transport.TRANSPORT_ALIASES[scheme] = f"{__name__}:{Transport.__qualname__}"


def _is_message(message: Any, *, task: bool) -> bool:
    """Whether it has all that kombu and Celery take for granted in a message."""
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
