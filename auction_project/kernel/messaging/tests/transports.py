"""The three transports for the conformance suite, and a group member as a real process.

Addresses come from the settings: REDIS_URL, and KAFKA_BOOTSTRAP_SERVERS for Kafka. Each test has a namespace of its own,
which is wiped afterwards.
"""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence

import msgspec
from django.conf import settings
from django.db import connections

from auction_project.kernel.messaging import broker as brokers
from auction_project.kernel.messaging.backends import kafka, memory, redis_streams

PATIENCE_SECONDS = 30.0


class Transport(msgspec.Struct, frozen=True):
    """`connect` makes another client of the same data."""

    name: str
    namespace: str
    connect: Callable[[], brokers.Broker]


def open_transport(name: str) -> Transport:
    namespace = f"test{uuid.uuid4().hex[:12]}"
    if name == "memory":
        one = memory.MemoryBroker()
        return Transport(name, namespace, lambda: one)
    return Transport(name, namespace, lambda: connect(name, namespace))


def connect(name: str, namespace: str) -> brokers.Broker:
    if name == "redis":
        return redis_streams.RedisStreamsBroker(settings.REDIS_URL, namespace=namespace)
    assert settings.KAFKA_BOOTSTRAP_SERVERS, "KAFKA_BOOTSTRAP_SERVERS must name a Kafka for these tests"
    return kafka.KafkaBroker(settings.KAFKA_BOOTSTRAP_SERVERS, namespace=namespace)


def messages(topic: str, keys: Sequence[str], count: int, first: int = 1) -> list[brokers.Message]:
    """`count` numbered messages for each key, taking turns."""
    return [
        brokers.Message(topic, key, str(number).encode())
        for number in range(first, first + count)
        for key in keys
    ]


def take(consumer: brokers.Consumer, count: int, *, acknowledge: bool = True) -> list[brokers.Record]:
    """The next `count` records, each once; fails if they do not come. Acknowledges none after them."""
    taken: dict[tuple[str, int, str], brokers.Record] = {}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(taken) < count:
        assert time.monotonic() < deadline, f"{len(taken)} of {count} records came"
        for record in consumer.poll(0.2):
            if len(taken) == count:
                break
            taken[record.topic, record.partition, record.position] = record
            if acknowledge:
                consumer.acknowledge(record)
    return list(taken.values())


def by_key(records: Sequence[brokers.Record]) -> dict[str, list[bytes]]:
    """The values of each key, in order."""
    values: dict[str, list[bytes]] = {}
    for record in records:
        values.setdefault(record.key, []).append(record.value)
    return values


class MemberProcess:
    """A real process that consumes `inventory.stock` into the tables of these tests (see `member`)."""

    def __init__(self, transport: Transport, group: str, name: str) -> None:
        database = connections["default"].settings_dict
        url = "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**database)
        arguments = [
            "-m",
            "auction_project.kernel.messaging.tests.member",
            transport.name,
            transport.namespace,
            group,
            name,
        ]
        self._popen = subprocess.Popen(
            [sys.executable, *arguments],
            env={**os.environ, "DATABASE_URL_DEFAULT": url},
            cwd=settings.BASE_DIR,
        )

    def signal(self, number: int) -> None:
        self._popen.send_signal(number)

    def end(self) -> None:
        self._popen.kill()
        self._popen.wait(10)
