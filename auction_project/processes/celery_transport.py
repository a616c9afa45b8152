"""Celery's Redis transport with three changes. It survives junk: in kombu's own, one junk element in a list ends each worker
that takes it, and one among the unacknowledged messages keeps the others from being delivered again. It makes one
client per channel, not one per command. And a Redis that goes away ends no worker that has a task under way. The connection
of every transport tries an unavailable broker each RETRY_SECONDS.

When kombu finds that an element cannot be read, it has removed it from the list already; so the element is logged and
dropped. Kombu finds this class by the scheme of the broker's URL, so that `rediss` keeps its meaning and `amqp` is
untouched.
"""

import contextlib
from collections.abc import Iterator
from queue import Empty
from typing import Any

import kombu
from celery.app import amqp
from kombu import transport
from kombu.transport import redis
from redis import exceptions

from auction_project.kernel import logs

RETRY_SECONDS = 1.0  # kombu's own pauses grow to 30 s, in which tasks wait for a broker that is back
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


class Connection(kombu.Connection):
    """Tries again soon."""

    def ensure_connection(self, *args: Any, **options: Any) -> Any:
        pauses = {"interval_start": RETRY_SECONDS, "interval_step": 0, "interval_max": RETRY_SECONDS}
        return super().ensure_connection(*args, **(pauses | options))


class AMQP(amqp.AMQP):
    Connection = Connection


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

    def _connparams(self, *arguments: Any, **options: Any) -> Any:
        """Raises ConnectionError when the connection is closed, which Celery waits out. In its place kombu raises
        AttributeError, for which a worker ends."""
        if self.connection is None or self.connection.client is None:
            raise exceptions.ConnectionError("the channel has outlived its connection")
        return super()._connparams(*arguments, **options)

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
