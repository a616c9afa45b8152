"""The Celery processes from outside: a real worker and a real beat on the real broker, and their probes."""

import contextlib
import json
import os
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import kombu.exceptions
import pytest
import redis
from django.conf import settings
from django.test import override_settings

from auction_project import celery
from auction_project.kernel.tests import conditions
from auction_project.processes import celery_hooks, registry, roles

# The application with short times, a task that hangs, and no need but the broker.
_PROGRAM = """
import sys, time
from auction_project import celery
from auction_project.processes import celery_hooks, health, needs
health.STALE_SECONDS = 2.0
celery_hooks.BEAT_SECONDS = 0.3
needs._CHECKS["postgres"] = lambda _name: None
def hang(path, seconds):
    open(path, "a").write("taken ")
    time.sleep(seconds)
celery.app.task(name="tests.hang")(hang)
celery.app.start(sys.argv[1:])
"""


class Process:
    def __init__(self, log_file: Path, *arguments: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=5)
        self._log = log_file
        with log_file.open("wb") as output:
            self.popen = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, *arguments],
                cwd=settings.BASE_DIR,
                env={**os.environ, "GAVEL_HEALTH_PORT": str(port)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def probe(self, path: str) -> tuple[int, dict[str, object]]:
        try:
            answer = self._http.get(path)
        except httpx.TransportError:
            return 0, {}
        return answer.status_code, answer.json()

    def dropped(self) -> int:
        return self._log.read_text().count("task_message_dropped")


@pytest.fixture
def broker() -> Iterator[redis.Redis]:
    with redis.Redis.from_url(settings.CELERY_BROKER_URL) as client:
        client.delete(*roles.QUEUES, "unacked", "unacked_index", "unacked_mutex")
        yield client
        client.delete(*roles.QUEUES, "unacked", "unacked_index", "unacked_mutex")


@contextlib.contextmanager
def _working(directory: Path) -> Iterator[Process]:
    """A worker, until the end of the block."""
    name = f"tests@{os.getpid()}"
    started = Process(
        directory / "worker.log", "worker", "-Q", "inventory", "-P", "threads", "-c", "2", "-n", name
    )
    try:
        yield started
    finally:
        started.popen.kill()
        started.popen.wait()


@pytest.fixture
def worker(tmp_path: Path, broker: redis.Redis) -> Iterator[Process]:
    with _working(tmp_path) as started:
        conditions.until(lambda: started.probe("/readyz")[0] == 200)
        yield started


def _send(path: Path, *, seconds: float = 0.0) -> None:
    celery.app.send_task("tests.hang", kwargs={"path": str(path), "seconds": seconds}, queue="inventory")


def _altered(broker: redis.Redis, path: Path, **changes: object) -> str:
    """The message of a task, with `changes`."""
    _send(path)
    (message,) = broker.lrange("inventory", 0, -1)
    broker.delete("inventory")
    return json.dumps(json.loads(message) | changes)


def test_junk_in_a_queue_is_dropped_and_the_worker_goes_on(tmp_path: Path, broker: redis.Redis) -> None:
    path = tmp_path / "taken"
    junk: list[str | bytes] = [
        b"x",
        b"\xff\xfe",
        b"",
        "[" * 100_000,
        "1",
        "null",
        "[]",
        "{}",
        '{"__type__": "uuid", "__value__": 7}',
        _altered(broker, path, properties={}),
        _altered(broker, path, properties=None),
        _altered(broker, path, headers=[]),
        _altered(broker, path, headers={}),
        _altered(broker, path, headers={"task": ["tests.hang"], "id": "1"}),
        _altered(broker, path, headers={"task": "tests.hang"}),
        _altered(broker, path, body=7),
        _altered(broker, path, body="x"),
    ]
    broker.lpush("inventory", *junk)
    _send(path)
    with _working(tmp_path) as started:
        conditions.until(path.exists)

        assert started.popen.poll() is None
        assert started.dropped() == len(junk)
        conditions.until(lambda: broker.hlen("unacked") == 0)
        assert broker.llen("inventory") == 0


def test_junk_among_unacknowledged_messages_is_dropped_and_a_dead_workers_task_is_done(
    tmp_path: Path, broker: redis.Redis
) -> None:
    path = tmp_path / "taken"
    lost = [json.loads(_altered(broker, path)), "gavel", "inventory"]
    junk: list[str | bytes] = [b"x", b"\xff\xfe", b"", "[" * 100_000, "7", "[1]", "{}"]
    for number, entry in enumerate([json.dumps(lost), *junk]):  # the oldest is restored last
        broker.hset("unacked", f"{number}", entry)
        broker.zadd("unacked_index", {f"{number}": number})
    with _working(tmp_path) as started:
        conditions.until(path.exists)

        conditions.until(lambda: broker.hlen("unacked") == broker.zcard("unacked_index") == 0)
        assert started.popen.poll() is None
        assert path.read_text() == "taken "


def test_a_worker_whose_task_hangs_is_not_live_until_it_ends(worker: Process, tmp_path: Path) -> None:
    assert worker.probe("/livez") == (200, {"role": "worker", "stale": []})

    _send(tmp_path / "taken", seconds=6.0)
    conditions.until(lambda: worker.probe("/livez")[0] == 503)

    (stale,) = worker.probe("/livez")[1]["stale"]  # type: ignore[misc]
    assert stale.startswith("task:")
    conditions.until(lambda: worker.probe("/livez")[0] == 200)


def test_a_worker_with_nothing_to_do_stays_live(worker: Process) -> None:
    for _ in range(30):  # for longer than STALE_SECONDS
        assert worker.probe("/livez")[0] == 200
        time.sleep(0.1)


def _listed(process: Process) -> list[registry.Process]:
    """Its entry in the registry, once its first renewals have been made."""
    found = registry.processes(settings.REDIS_URL)
    return [one for one in found if one.pid == process.popen.pid and one.cpu is not None]


def test_a_worker_is_in_the_registry_with_its_tasks_until_it_stops(
    worker: Process, tmp_path: Path, broker: redis.Redis
) -> None:
    broker.lpush("orders", "waits", "waits", "waits")  # it consumes from inventory alone
    _send(tmp_path / "taken")

    conditions.until(lambda: any(one.lag == registry.Figure(3, "tasks") for one in _listed(worker)))
    (entry,) = _listed(worker)
    worker.popen.terminate()
    worker.popen.wait(30)

    assert (entry.role, entry.ready) == ("worker", True)
    assert entry.rate is not None
    assert entry.rate.unit == "tasks"
    assert _listed(worker) == []


def test_a_worker_behind_a_unix_socket_counts_the_tasks_that_wait(tmp_path: Path) -> None:
    answers = {"SELECT": b"+OK\r\n", "LLEN": b":3\r\n", "CLIENT": b"+OK\r\n"}
    asked: list[list[str]] = []

    class Redis(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while line := self.rfile.readline():
                command = [
                    self.rfile.read(int(self.rfile.readline()[1:]) + 2)[:-2] for _ in range(int(line[1:]))
                ]
                asked.append([part.decode() for part in command])
                self.wfile.write(answers[asked[-1][0]])

    path = tmp_path / "redis.sock"
    with socketserver.ThreadingUnixStreamServer(str(path), Redis) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        celery_hooks._broker.cache_clear()
        try:
            with override_settings(CELERY_BROKER_URL=f"redis+socket://{path}?virtual_host=1"):
                waiting = celery_hooks._waiting_tasks(["orders"])
        finally:
            celery_hooks._broker.cache_clear()
            server.shutdown()

    assert waiting == registry.Figure(3, "tasks")
    assert [command for command in asked if command[0] != "CLIENT"] == [["SELECT", "1"], ["LLEN", "orders"]]


def test_beat_is_live_as_long_as_it_ticks(tmp_path: Path, broker: redis.Redis) -> None:
    beat = Process(tmp_path / "beat.log", "beat", "-s", str(tmp_path / "schedule"))
    try:
        conditions.until(lambda: beat.probe("/readyz")[0] == 200)
        conditions.until(lambda: broker.llen("sweep") >= 4)
        assert beat.probe("/livez") == (200, {"role": "beat", "stale": []})
        conditions.until(lambda: [one.role for one in _listed(beat)] == ["beat"])

        beat.popen.terminate()
        beat.popen.wait(30)

        assert _listed(beat) == []
    finally:
        beat.popen.kill()
        beat.popen.wait()


def test_every_process_sends_tasks_by_the_configured_application_in_all_its_threads() -> None:
    """Consumers and the admin send chains; Celery's own default application would ignore TLS and the time-outs."""
    program = """
import django, threading
django.setup()
import celery
def show():
    print(celery.current_app.main, celery.current_app.conf.task_publish_retry)
thread = threading.Thread(target=show)
thread.start()
thread.join()
"""
    finished = subprocess.run(
        [sys.executable, "-c", program], cwd=settings.BASE_DIR, capture_output=True, text=True, check=True
    )

    assert finished.stdout == "gavel False\n"


def test_an_unavailable_broker_is_tried_again_each_second() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        connection = celery.app.connection_for_read(f"redis://127.0.0.1:{closed.getsockname()[1]}/0")
        pauses: list[float] = []

        with pytest.raises(kombu.exceptions.OperationalError):
            connection.ensure_connection(lambda _error, pause: pauses.append(pause), max_retries=2)

    assert pauses == [1.0, 1.0]


def test_a_channel_whose_connection_is_lost_says_so_and_ends_no_worker() -> None:
    """A worker with a task under way acknowledges, and restores, on such a channel."""
    connection = celery.app.connection_for_read()
    channel = connection.channel()
    connection.release()

    with pytest.raises(connection.connection_errors), channel.conn_or_acquire():
        pass
