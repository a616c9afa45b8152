"""Whether each store and service answers, which version it has, and what its clock says.

A connection of its own for each question, without a pool: a pool would go on trying after the answer.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import Any

import kombu
import msgspec
import redis
from django.conf import settings
from django.core import mail
from django.db import connections

from auction_project.kernel import databases
from auction_project.kernel.messaging import transport as transports
from auction_project.processes.doctor import checking
from auction_project.settings import refusals
from bidding.store import mongo
from bidding.writer import heartbeat
from orders import bank_client

CONNECT_SECONDS = 1.5  # so that a store's own words come before the end of the check
# The oldest on which the tests run, by the family of the name; docs/containers.md says what runs on what.
OLDEST = {"postgres": (15,), "mongodb": (7,), "redis": (7, 0)}


class Facts(msgspec.Struct):
    """What the stores said, by the name of the check: the version, and how far the clock is off at least (theirs minus
    ours, milliseconds)."""

    versions: dict[str, str] = msgspec.field(default_factory=dict)
    offsets_ms: dict[str, float] = msgspec.field(default_factory=dict)


def checks(facts: Facts) -> list[checking.Check]:
    """One check for each store and service; they note what they learn in `facts`."""
    return [
        *(
            checking.Check(
                name=f"postgres:{alias}",
                run=lambda alias=alias: _postgres(facts, alias),  # type: ignore[misc]
                remedy=f"Start PostgreSQL, or correct DATABASE_URL_{alias.upper()}.",
            )
            for alias in databases.ALIASES
        ),
        checking.Check(
            name="mongodb",
            run=lambda: asyncio.run(_mongodb(facts)),
            remedy="Start MongoDB, or correct MONGODB_URL. Bids get 503 until then.",
        ),
        checking.Check(
            name="redis",
            run=lambda: _redis(facts),
            remedy="Start Redis, or correct REDIS_URL. Until then pages poll, and lists are slow.",
        ),
        checking.Check(
            name="broker",
            run=_broker,
            remedy="Start the transport, or correct KAFKA_BOOTSTRAP_SERVERS or REDIS_URL.",
        ),
        checking.Check(
            name="celery",
            run=_celery,
            remedy="Start Celery's broker, or correct CELERY_BROKER_URL. Sales wait until then.",
        ),
        checking.Check(
            name="mail",
            run=_mail,
            remedy="Start the mail server, or correct EMAIL_HOST and its user and password.",
        ),
        checking.Check(
            name="payments",
            run=_payments,
            remedy="Ask the payment provider, or correct BANK_URL. Captures wait until then.",
        ),
    ]


def conclusions(facts: Facts) -> list[checking.Check]:
    """What follows from `facts`, once they are complete."""
    return [
        checking.Check(name="versions", run=lambda: versions(facts), remedy=""),
        checking.Check(name="clock", run=lambda: clock(facts), remedy=""),
    ]


def versions(facts: Facts) -> checking.Verdict:
    """Whether each server is as new as the oldest that the tests run on."""
    old = []
    for store, version in facts.versions.items():
        oldest = OLDEST[store.partition(":")[0]]
        if _numbers(version)[: len(oldest)] < oldest:
            old.append(f"{store} is {version}, and {'.'.join(map(str, oldest))} is the oldest that is tested")
    if old:
        return checking.warn("; ".join(old) + ".", "Upgrade these servers.")
    if not facts.versions:
        return checking.skipped("No store has said its version.")
    said = {f"{store.partition(':')[0]} {version}" for store, version in facts.versions.items()}
    return checking.ok(f"{', '.join(sorted(said))}.")


def clock(facts: Facts) -> checking.Verdict:
    """Whether the clocks of the stores agree with this machine's. Bids stop where MongoDB's does not."""
    if not facts.offsets_ms:
        return checking.skipped("No store has said its time.")
    limit = heartbeat.MAX_CLOCK_OFFSET_MS
    off = {store: offset for store, offset in facts.offsets_ms.items() if abs(offset) > limit}
    said = ", ".join(f"{store} by {offset:+.0f} ms" for store, offset in off.items())
    mend = "Let a time service (chrony, systemd-timesyncd) keep the clocks of all machines."
    if "mongodb" in off:
        return checking.fail(f"Clocks differ from this machine's: {said}. Processes here take no bids.", mend)
    if off:
        return checking.warn(f"Clocks differ from this machine's: {said}.", mend)
    return checking.ok(f"All stores' clocks are within {limit:.0f} ms of this machine's.")


@contextlib.contextmanager
def session(alias: str) -> Iterator[Any]:
    """A connection of Django's to the database, outside of the pool, that can only read."""
    connection = connections[alias].copy()
    options = connection.settings_dict["OPTIONS"]
    options.pop("pool", None)
    options["options"] = f"{options.get('options', '')} -c default_transaction_read_only=on".strip()
    try:
        yield connection
    finally:
        connection.close()


def _postgres(facts: Facts, alias: str) -> checking.Verdict:
    name = f"postgres:{alias}"
    with session(alias) as connection, connection.cursor() as cursor:
        began = time.time()
        cursor.execute("SELECT current_setting('server_version'), extract(epoch FROM clock_timestamp())")
        version, now = cursor.fetchone()
        ended = time.time()
    facts.versions[name] = version
    facts.offsets_ms[name] = mongo.offset_ms(float(now), before=began, after=ended)
    return _answers(ended - began)


async def _mongodb(facts: Facts) -> checking.Verdict:
    store = mongo.MongoStore(settings.MONGODB_URL, settings.MONGODB_DATABASE)
    try:
        began = time.monotonic()
        facts.versions["mongodb"] = await store.version()
        ended = time.monotonic()
        facts.offsets_ms["mongodb"] = await store.clock_offset_ms()
    finally:
        await store.close()
    return _answers(ended - began)


def _redis(facts: Facts) -> checking.Verdict:
    with _redis_client() as client:
        began = time.time()
        seconds, microseconds = client.time()
        ended = time.time()
        facts.offsets_ms["redis"] = mongo.offset_ms(seconds + microseconds / 1e6, before=began, after=ended)
        info = client.info("everything")
    facts.versions["redis"] = info["redis_version"]
    if info.get("maxmemory") and info.get("maxmemory_policy") != "noeviction":
        return checking.warn(
            f"Redis deletes data when its memory is full ({info['maxmemory_policy']}).",
            "Set maxmemory-policy noeviction.",
        )
    if info.get("maxmemory") and info["used_memory"] > 0.9 * info["maxmemory"]:
        return checking.warn("Redis uses more than 90 % of its memory.", "Raise maxmemory.")
    if info.get("aof_enabled") and info.get("aof_last_write_status") != "ok":
        return checking.fail("Redis cannot write its log.", "Look at its disk and at its log.")
    return _answers(ended - began)


def _redis_client() -> redis.Redis:
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=CONNECT_SECONDS, socket_connect_timeout=CONNECT_SECONDS
    )


def _broker() -> checking.Verdict:
    transport = transports.from_settings()
    try:
        began = time.monotonic()
        transport.ping()
        return _answers(time.monotonic() - began)
    finally:
        transport.close()


def _celery() -> checking.Verdict:
    began = time.monotonic()
    with kombu.Connection(
        settings.CELERY_BROKER_URL, ssl=settings.CELERY_BROKER_USE_SSL, connect_timeout=CONNECT_SECONDS
    ) as connection:
        connection.ensure_connection(
            max_retries=1, interval_start=0, interval_step=0, timeout=CONNECT_SECONDS
        )
    return _answers(time.monotonic() - began)


def _mail() -> checking.Verdict:
    """Connect and sign in, and send nothing."""
    if settings.EMAIL_BACKEND != refusals.SMTP:
        return checking.skipped("E-mails go to no mail server here.")
    began = time.monotonic()
    server: Any = mail.get_connection(timeout=CONNECT_SECONDS)
    server.open()
    server.close()
    return _answers(time.monotonic() - began)


def _payments() -> checking.Verdict:
    began = time.monotonic()
    client = bank_client.BankClient(settings.BANK_URL, settings.BANK_API_KEY, read_seconds=CONNECT_SECONDS)
    with contextlib.closing(client):
        if not client.is_healthy():
            raise ConnectionError("The payment provider does not answer.")
    return _answers(time.monotonic() - began)


def _answers(seconds: float) -> checking.Verdict:
    return checking.ok(f"It answers in {seconds * 1000:.0f} ms.")


def _numbers(version: str) -> tuple[int, ...]:
    """`17.2 (Debian …)` as (17, 2)."""
    numbers: list[int] = []
    for part in version.split(" ")[0].split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)
