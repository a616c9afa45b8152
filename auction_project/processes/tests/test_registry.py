"""The registry on a real Redis: who is in it, until when, and what happens without Redis."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import prometheus_client
import pytest
import redis
from django.conf import settings
from django.test import override_settings

import auction_project
from auction_project.kernel import errors
from auction_project.processes import figures, health, identity, registry, running
from auction_project.tools.embedded import valkey

Register = Callable[..., registry.Registration]
TTL_SECONDS = 0.6
RENEW_SECONDS = 0.1

# A process that registers, says its id, and never ends by itself.
PROGRAM = """
import os, sys, time
from auction_project.processes import registry
entry = registry.Registration(
    "web", registry.About(), redis_url=os.environ["URL"], private_address="127.0.0.1:1", is_ready=lambda: True,
    key=sys.argv[1], ttl_seconds=float(sys.argv[2]), renew_seconds=0.1,
).start()
print(entry.id, flush=True)
time.sleep(600)
"""


def wait_until(holds: Callable[[], Any], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def key() -> Iterator[str]:
    """A registry of its own for a test."""
    name = f"test:{uuid.uuid4().hex}"
    yield name
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        if names := client.keys(f"{name}*"):
            client.delete(*names)


@pytest.fixture
def register(key: str) -> Iterator[Register]:
    """Registers a process here, until the end of the test."""
    started: list[registry.Registration] = []

    def start(
        role: str = "web", about: registry.About | None = None, **options: Any
    ) -> registry.Registration:
        given = {
            "redis_url": settings.REDIS_URL,
            "private_address": "127.0.0.1:8001",
            "is_ready": lambda: True,
            "key": key,
            "ttl_seconds": TTL_SECONDS,
            "renew_seconds": RENEW_SECONDS,
        }
        started.append(registry.Registration(role, about or registry.About(), **(given | options)).start())
        return started[-1]

    yield start
    for one in started:
        one.close()


def listed(key: str) -> list[registry.Process]:
    return registry.processes(settings.REDIS_URL, key=key)


def listed_as(copy: str) -> list[registry.Process]:
    """Those of this copy in the registry that all processes share."""
    return [one for one in registry.processes(settings.REDIS_URL) if one.copy == copy]


def ids(key: str) -> list[str]:
    return [process.id for process in listed(key)]


def stored(key: str) -> set[bytes]:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        return set(client.smembers(key))


def put(key: str, name: bytes, text: bytes) -> None:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.set(key.encode() + b":" + name, text)
        client.sadd(key, name)


def test_an_entry_says_what_the_process_is(
    register: Register, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(identity.COPY, "bids-2")
    before = time.time() * 1000
    about = registry.About(
        services=["bidding"],
        address="127.0.0.1:8000",
        lag=lambda: registry.Figure(7, "requests"),
    )

    entry = register("web", about, is_ready=lambda: False)
    wait_until(lambda: listed(key))
    (process,) = listed(key)

    assert re.fullmatch(r"web:bids-2:[0-9a-f]{8}", entry.id)
    assert (process.id, process.role, process.copy) == (entry.id, "web", "bids-2")
    assert (process.services, process.ready) == (("bidding",), False)
    assert (process.address, process.private_address) == ("127.0.0.1:8000", "127.0.0.1:8001")
    assert (process.host, process.pid) == (socket.gethostname(), os.getpid())
    assert process.version == auction_project.VERSION
    assert before - 1 <= process.started_at <= time.time() * 1000
    assert process.lag == registry.Figure(7, "requests")


def test_load_and_rate_are_those_since_the_last_renewal(register: Register, key: str) -> None:
    done = iter(range(0, 10_000, 100))
    register("web", registry.About(work=lambda: registry.Figure(next(done), "requests")))

    wait_until(lambda: listed(key) and listed(key)[0].rate)
    (process,) = listed(key)

    assert process.rate is not None
    assert process.rate.unit == "requests"
    assert 0 < process.rate.value <= 100 / RENEW_SECONDS * 1.1
    assert process.cpu is not None
    assert 0 <= process.cpu < 8
    assert process.memory_mib is not None
    assert 10 < process.memory_mib < 2000


def test_a_process_that_is_killed_vanishes_within_the_time_to_live(key: str) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, key, "1.0"],
        cwd=settings.BASE_DIR,
        env={**os.environ, "URL": settings.REDIS_URL},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    name = child.stdout.readline().strip()
    wait_until(lambda: ids(key) == [name])

    child.kill()
    child.wait()
    child.stdout.close()
    killed = time.monotonic()
    wait_until(lambda: not ids(key))

    assert time.monotonic() - killed < 1.0 + 0.5
    assert stored(key) == set()


def test_the_times_leave_room_for_a_renewal_that_waits_for_each_of_its_answers() -> None:
    waits_seconds = 3 * registry.ANSWER_SECONDS

    assert registry.TTL_SECONDS == 5.0
    assert registry.RENEW_SECONDS + waits_seconds < registry.TTL_SECONDS


def test_an_orderly_stop_removes_the_entry_at_once(register: Register, key: str) -> None:
    entry = register(ttl_seconds=60.0)
    wait_until(lambda: ids(key) == [entry.id])

    entry.close()

    assert ids(key) == []
    assert stored(key) == set()


def test_processes_are_listed_by_role_and_copy(
    register: Register, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for role, copy in (("web", "site"), ("clock", "clock"), ("web", "bids-2"), ("web", "bids")):
        monkeypatch.setenv(identity.COPY, copy)
        register(role)

    wait_until(lambda: len(listed(key)) == 4)

    assert [(one.role, one.copy) for one in listed(key)] == [
        ("clock", "clock"),
        ("web", "bids"),
        ("web", "bids-2"),
        ("web", "site"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"no JSON",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"id": "forged", "role": "web"}',
        b'{"id": "forged", "role": "web", "copy": 5}',
        b'{"id": "forged", "role": "web", "copy": "a", "pid": -1}',
        b'{"id": "forged", "role": "web", "copy": "a", "cpu": 1e999}',
        b'{"id": "forged", "role": "web", "copy": "a", "private_address": "http://elsewhere/x"}',
        b'{"id": "another", "role": "web", "copy": "a"}',
    ],
    ids=lambda text: text[:75].decode("latin-1"),
)
def test_what_is_no_entry_is_skipped(register: Register, key: str, text: bytes) -> None:
    entry = register()
    wait_until(lambda: ids(key) == [entry.id])

    put(key, b"forged", text)
    put(key, b"\xff\x00", text)

    assert ids(key) == [entry.id]


def test_an_entry_of_a_newer_version_is_read(key: str) -> None:
    put(key, b"web:a:1", b'{"id": "web:a:1", "role": "web", "copy": "a", "colour": "red"}')

    assert ids(key) == ["web:a:1"]


def test_a_process_that_starts_forgets_those_that_died_unseen(register: Register, key: str) -> None:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.sadd(key, *(f"web:dead:{number}" for number in range(50)))

    entry = register()
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        wait_until(lambda: client.smembers(key) == {entry.id.encode()})


def test_after_an_error_a_question_gets_its_own_answer(key: str) -> None:
    with contextlib.closing(registry.Line(settings.REDIS_URL)) as line:
        line.ask(("SET", key, "text"))

        with pytest.raises(redis.ResponseError):
            line.ask(("LLEN", key), ("GET", key))

        assert line.ask(("ECHO", "next")) == [b"next"]


# --- without Redis -------------------------------------------------------------------------------------------------


class Server:
    """A Valkey of the test, which it starts and stops."""

    def __init__(self, port: int) -> None:
        self.url = f"redis://127.0.0.1:{port}/0"
        self._argv = [str(valkey._find_binary()), "--port", str(port), "--save", "", "--appendonly", "no"]
        self._popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._popen = subprocess.Popen(self._argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self) -> None:
        if self._popen is not None:
            self._popen.kill()
            self._popen.wait()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    one = Server(port)
    yield one
    one.stop()


def test_without_redis_a_process_says_so_once_an_outage_and_is_back_with_redis(
    register: Register, server: Server, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[int] = []
    entry = register("clock", redis_url=server.url, is_ready=lambda: tries.append(1) is None)

    def fails_for_a_while() -> int:
        """How often the log says so."""
        before = len(tries)
        wait_until(lambda: len(tries) > before + 3)
        return caplog.text.count("registry_unavailable")

    assert fails_for_a_while() == 1
    with pytest.raises(errors.Unavailable, match="Redis does not answer"):
        registry.processes(server.url, key=key)
    for outages in (2, 3):
        server.start()
        wait_until(lambda: _ids_or_nothing(server.url, key) == [entry.id])
        server.stop()
        assert fails_for_a_while() == outages


def _ids_or_nothing(url: str, key: str) -> list[str]:
    with contextlib.suppress(errors.Unavailable):
        return [process.id for process in registry.processes(url, key=key)]
    return []


def test_a_redis_that_never_answers_delays_neither_start_nor_end(register: Register) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        entry = register(redis_url=f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        entry.close()

    assert time.monotonic() - began < registry.CLOSE_SECONDS + 0.5


# --- targets, figures, and the loops of a role -------------------------------------------------------------------------


def test_prometheus_reads_its_targets_from_the_private_port(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = f"test-{uuid.uuid4().hex}"
    monkeypatch.setenv(identity.COPY, copy)
    register("web", registry.About(services=["bidding", "orders"]), key=registry.KEY)
    register("bank", private_address="", key=registry.KEY)
    wait_until(lambda: len(listed_as(copy)) == 2)
    private = health.serve(health.State("test"))

    found = httpx.get(f"{private.url}/targets")
    with override_settings(REDIS_URL="redis://127.0.0.1:1/0"):
        without = httpx.get(f"{private.url}/targets")
    private.close()

    assert (found.status_code, found.headers["content-type"]) == (200, "application/json")
    assert [one for one in found.json() if one["labels"]["copy"] == copy] == [
        {
            "targets": ["127.0.0.1:8001"],
            "labels": {"role": "web", "copy": copy, "services": "bidding,orders"},
        }
    ]
    assert (without.status_code, without.json()) == (503, {"detail": "Redis does not answer."})


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104 - nothing is bound
def test_a_process_on_all_addresses_is_listed_where_others_reach_it(
    register: Register, key: str, host: str
) -> None:
    register(private_address=f"{host}:8001")
    wait_until(lambda: listed(key))

    address, _, port = listed(key)[0].private_address.rpartition(":")

    assert port == "8001"
    assert address == socket.gethostbyname(socket.gethostname())


def test_a_figure_is_the_sum_over_all_labels_of_a_metric() -> None:
    metric = prometheus_client.Counter("gavel_test_registry", "…", ["topic"], registry=None)
    metric.labels("a").inc(2)
    metric.labels("b").inc(3)

    assert figures.of(metric, "messages")() == registry.Figure(5, "messages")


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0 tasks"), (1.0, "1 task"), (1.04, "1 task"), (1234.56, "1,234.6 tasks")]
)
def test_a_figure_is_shown_with_one_decimal_at_most(value: float, text: str) -> None:
    assert str(registry.Figure(value, "tasks")) == text


def test_a_role_is_listed_as_long_as_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    copy = f"test-{uuid.uuid4().hex}"
    monkeypatch.setenv(identity.COPY, copy)
    stop = threading.Event()
    seen: list[registry.Process] = []

    class Loop:
        name = "test"

        def step(self) -> bool:
            seen[:] = listed_as(copy)
            if seen:
                stop.set()
            return False

        def close(self) -> None: ...

    about = registry.About(lag=lambda: registry.Figure(3, "messages"))
    assert running.run("consume", [], [Loop], stop, about=about) == 0

    assert [(one.role, one.lag) for one in seen] == [("consume", registry.Figure(3, "messages"))]
    assert listed_as(copy) == []
