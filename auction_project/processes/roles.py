"""The one table of processes: name, command, needs, queues. The commands, the demo, the tests and the compose file read it;
every process is a row here.

POOLS lists how the gateway divides the web processes. GROUPS lists the consumers of events; the handlers of a group are its app's `handlers.SUBSCRIPTION`. OUTBOXES lists the
tables that the relay publishes.
"""

import importlib
import sys
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from auction_project.kernel.messaging import consuming, outbox

# A worker takes tasks in this order, so that sagas under way end before others begin.
SALE_QUEUES = ("sweep", "orders", "inventory")
MAIL_QUEUES = ("email",)
# The pools of the gateway: which apps the web processes of each serve (SERVICES).
POOLS = {
    "bids": ("bidding",),
    "push": ("notifications",),
    "site": ("accounts", "sagas"),
    "stock": ("inventory",),
    "orders": ("orders",),
}
# How many processes of a pool the gateway knows by address on one machine (docker/gateway/haproxy.cfg).
MAX_COPIES = {"bids": 4, "push": 2, "site": 2, "stock": 2, "orders": 2}
QUEUES = (*SALE_QUEUES, *MAIL_QUEUES)
GROUPS = {
    "dead-letters": "auction_project.kernel.messaging.handlers:SUBSCRIPTION",
    "bidding": "bidding.handlers:SUBSCRIPTION",
    "inventory": "inventory.handlers:SUBSCRIPTION",
    "orders": "orders.handlers:SUBSCRIPTION",
    "notifications": "notifications.handlers:SUBSCRIPTION",
    "auction-frames": "notifications.handlers:AUCTION_FRAMES",
    "sagas": "sagas.handlers:SUBSCRIPTION",
    "desk": "orders.desk.handlers:SUBSCRIPTION",
}
OUTBOXES = (
    "auction_project.accounts.models:Outbox",
    "inventory.models:Outbox",
    "orders.models:Outbox",
    "sagas.models:Outbox",
)
_ALL_POSTGRES = (
    "postgres:default",
    "postgres:inventory",
    "postgres:orders",
    "postgres:notifications",
    "postgres:sagas",
)


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of process. `command` follows the interpreter; `needs` are names of `needs.py`; `queues` are Celery's."""

    name: str
    command: tuple[str, ...]
    needs: tuple[str, ...]
    queues: tuple[str, ...] = ()
    purpose: str

    def argv(self) -> list[str]:
        """The whole command line."""
        return [sys.executable, *self.command]


def _worker(role: str, queues: tuple[str, ...], *, threads: int) -> tuple[str, ...]:
    """The command of a worker; the node's name tells the process its role. Workers need nothing of one another: without
    mingle and gossip, one is ready a second earlier."""
    pool = ("-P", "threads", "-c", str(threads), "--without-mingle", "--without-gossip")
    name = ("-n", f"{role}@%h")
    return ("-m", "celery", "-A", "auction_project", "worker", "-Q", ",".join(queues), *name, *pool)


ROLES: tuple[Role, ...] = (
    Role(
        name="web",
        command=("manage.py", "web"),
        needs=("postgres:default", "mongodb", "redis"),
        purpose="pages, REST, WebSocket and SSE; takes bids",
    ),
    Role(
        name="gateway",
        command=("manage.py", "gateway"),
        needs=(),
        purpose="the front door: routes, authenticates, limits and balances requests",
    ),
    Role(
        name="clock",
        command=("manage.py", "clock"),
        needs=("mongodb",),
        purpose="opens and closes due auctions",
    ),
    Role(
        name="relay",
        command=("manage.py", "relay"),
        needs=(*_ALL_POSTGRES, "mongodb", "broker"),
        purpose="publishes the outboxes and the bid log",
    ),
    Role(
        name="consume",
        command=("manage.py", "consume", "--all"),
        needs=(*_ALL_POSTGRES, "mongodb", "redis", "broker"),
        purpose="gives events to the apps",
    ),
    Role(
        name="worker",
        command=_worker("worker", SALE_QUEUES, threads=8),
        needs=("postgres:sagas", "postgres:inventory", "postgres:orders", "postgres:notifications", "celery"),
        queues=SALE_QUEUES,
        purpose="runs the steps of sagas",
    ),
    Role(
        name="mail",
        command=_worker("mail", MAIL_QUEUES, threads=4),
        # E-mails go on without the accounts: the sweep of their notices bears an outage.
        needs=("postgres:notifications", "celery"),
        queues=MAIL_QUEUES,
        purpose="sends e-mail; receipts do not wait behind a rush of sales",
    ),
    Role(
        name="beat",
        command=("-m", "celery", "-A", "auction_project", "beat"),
        needs=("celery",),
        purpose="starts the sweeps of sagas, mail and relisted lots",
    ),
    Role(
        name="bank",
        command=("manage.py", "bank"),
        needs=(),
        purpose="the simulated payment provider (demo, tests)",
    ),
)
BY_NAME = {role.name: role for role in ROLES}


def _load(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def subscription(group: str) -> "consuming.Subscription":
    """The subscription of a group of GROUPS. Raises KeyError."""
    loaded: consuming.Subscription = _load(GROUPS[group])
    return loaded


def outboxes() -> "list[type[outbox.OutboxRow]]":
    """The tables of OUTBOXES."""
    return [_load(path) for path in OUTBOXES]


def groups_of_topic(topic: str) -> list[str]:
    """The groups that read `topic`. It may be trimmed below what all of them have acknowledged."""
    return [group for group in GROUPS if topic in subscription(group).topics]
