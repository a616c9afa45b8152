"""Sagas on real parts: Celery workers and beat as processes, real Redis, real PostgreSQL; only the participants are
fakes (`participants`, in `worker`). Nothing here is eager."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime

import pytest
import redis
from django.conf import settings
from django.db import connections

from auction_project import celery
from auction_project.kernel import failpoints
from auction_project.kernel.messaging import transactions
from sagas import dispatcher, invariants, models, saga_log, selectors, services, tasks
from sagas.tests import participants
from sagas.tests.conftest import make_sale, pass_time, published, saga, timeline
from sagas.tests.conftest import start as start_saga

pytestmark = pytest.mark.django_db(databases=["default", "sagas"], transaction=True)
ALL = list(participants.ACTIONS)
QUEUES = ("inventory", "orders", "sweep")
START_SECONDS = 60.0
END_SECONDS = 30.0


@pytest.fixture
def broker():
    """Celery's broker, with our queues empty."""
    with redis.Redis.from_url(settings.CELERY_BROKER_URL) as client:
        empty(client)
        yield client
        empty(client)


def empty(client):
    client.delete(*QUEUES, "unacked", "unacked_index", "unacked_mutex")


class Processes:
    """Starts Celery processes on the test's database, and ends those that still run."""

    def __init__(self, directory) -> None:
        self._directory = directory
        self._running: list[subprocess.Popen] = []

    def worker(self, *, failpoint: str = "", threads: int = 4) -> subprocess.Popen:
        number = len(self._running)
        arguments = [
            "worker",
            "-Q",
            ",".join(QUEUES),
            "-P",
            "threads",
            "-c",
            str(threads),
            "-n",
            f"w{number}@{os.getpid()}",
        ]
        return self._start(arguments, {failpoints.VARIABLE: failpoint})

    def beat(self, **environment: str) -> subprocess.Popen:
        return self._start(["beat"], environment)

    def _start(self, arguments, environment) -> subprocess.Popen:
        database = connections["sagas"].settings_dict
        url = "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**database)
        with (self._directory / f"{len(self._running)}.log").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "sagas.tests.worker", *arguments],
                cwd=settings.BASE_DIR,
                env={**os.environ, "DATABASE_URL_SAGAS": url, **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._running.append(process)
        return process

    def end(self):
        for process in self._running:
            process.kill()
            process.wait()


@pytest.fixture
def processes(tmp_path, broker):
    started = Processes(tmp_path)
    yield started
    started.end()


def start(script=""):
    sale = make_sale(script)
    start_saga(sale, now=datetime.now(UTC))
    return sale.sale_id


def until(condition, seconds=END_SECONDS, sweeps=False):
    """Wait for `condition`; with `sweeps`, send the sweep once a second, as beat does."""
    deadline, next_sweep = time.monotonic() + seconds, 0.0
    while not condition():
        assert time.monotonic() < deadline, f"not in time; open: {open_sagas()}"
        if sweeps and time.monotonic() >= next_sweep:
            celery.app.send_task("sagas.sweep", queue="sweep")
            next_sweep = time.monotonic() + 1.0
        time.sleep(0.02)


def open_sagas():
    rows = models.Saga.objects.filter(finished_at=None)
    return list(rows.values("position", "status", "tries", "lost", "started_at", "due_at", "worker"))


def has_ended(*sales):
    return lambda: models.Saga.objects.filter(pk__in=sales, finished_at__isnull=False).count() == len(sales)


def assert_sound():
    assert [finding for finding in invariants.check(now=datetime.now(UTC)) if finding.violations] == []


def test_chains_settle_and_undo_sales_and_chains_alone_are_enough(processes):
    processes.worker()
    good = [start() for _ in range(10)]
    bad = [start("capture_payment=refuse"), start("commit_stock=refuse")]

    until(has_ended(*good, *bad), START_SECONDS)

    for sale in good:
        assert participants.effects(sale) == ALL
        assert timeline(sale) == [f"{step} DONE" for step in ALL]
        assert published(sale) == ["SaleSettled"]
    for sale in bad:
        assert participants.effects(sale) == ["assess_risk"]
        assert published(sale) == ["BidFailed"]
    assert_sound()


def test_a_broker_that_was_emptied_loses_no_sale(processes, broker):
    sales = [start() for _ in range(5)]
    until(lambda: broker.llen("inventory") == 5)
    broker.delete("inventory")  # before any worker took them
    processes.worker()
    midway = start("place_order=hang:1.5")
    until(lambda: "place_order" in participants.calls(midway), START_SECONDS)
    empty(broker)  # the worker has the rest of the chain of `midway`; the tasks of the five are lost
    assert not has_ended(sales[0])()

    for sale in sales:
        pass_time(sale, saga_log.CHAIN_SECONDS)
    until(has_ended(*sales, midway), sweeps=True)

    assert {saga(sale).status for sale in [*sales, midway]} == {"COMPLETED"}
    assert_sound()


def test_tasks_that_come_doubled_and_late_change_nothing(processes, broker):
    processes.worker()
    sale = start()
    legs = tuple(dispatcher.engine.legs_ahead(services.definitions.SETTLE_SALE, saga(sale).state))
    for _ in range(3):
        dispatcher.send(saga_ids=[sale], legs=legs)
    until(has_ended(sale), START_SECONDS)
    before = saga(sale).revision

    dispatcher.send(saga_ids=[sale], legs=legs)
    until(lambda: not broker.exists(*QUEUES, "unacked"))

    assert participants.calls(sale) == ALL
    assert (saga(sale).revision, published(sale)) == (before, ["SaleSettled"])


def test_kill_9_of_the_worker_between_two_steps_and_after_an_effect(processes):
    sales = []
    for point in ("after_record", "after_effect"):
        victim = processes.worker(failpoint=f"saga.capture_payment.{point}=kill")
        sales += [start() for _ in range(3)]
        until(lambda dying=victim: dying.poll() == -9, START_SECONDS, sweeps=True)
        for sale in sales:
            pass_time(sale, saga_log.CHAIN_SECONDS)  # also for tasks that the dead worker had fetched

    processes.worker()
    until(has_ended(*sales), START_SECONDS, sweeps=True)

    assert all(participants.effects(sale) == ALL for sale in sales)
    assert {tuple(published(sale)) for sale in sales} == {("SaleSettled",)}
    assert models.SagaStep.objects.filter(event="LOST").count() >= 1
    assert_sound()


def test_worker_and_beat_retry_a_failing_step_by_themselves(processes):
    processes.worker()
    processes.beat()
    sales = [start("assess_risk=fail:2"), start("commit_stock=away:3")]

    until(has_ended(*sales), START_SECONDS)

    assert [saga(sale).status for sale in sales] == ["COMPLETED", "COMPLETED"]
    assert timeline(sales[0])[1:4] == ["assess_risk FAULT", "assess_risk FAULT", "assess_risk DONE"]


def test_an_unknown_version_is_left_alone_by_a_real_worker(processes, broker):
    processes.worker()
    alone, other = start(), start()
    models.Saga.objects.filter(pk=alone).update(version=99)
    until(has_ended(other), START_SECONDS)
    pass_time(alone, 60)
    before = models.Saga.objects.filter(pk=alone).values().get()

    tasks.sweep()
    until(lambda: not broker.exists(*QUEUES, "unacked"))

    assert models.Saga.objects.filter(pk=alone).values("revision", "due_at").get() == {
        "revision": before["revision"],
        "due_at": before["due_at"],
    }


def test_an_unavailable_broker_delays_a_sale_and_nothing_else(processes, broker, monkeypatch):
    monkeypatch.setattr(celery.app.conf, "broker_url", "redis://127.0.0.1:1/0")
    monkeypatch.setattr(celery.app.conf, "broker_write_url", None)
    with celery.app.producer_pool.acquire(block=True) as producer:
        producer.release()
    sale = start()
    assert saga(sale).status == "RUNNING"
    monkeypatch.undo()

    processes.worker()
    pass_time(sale, saga_log.CHAIN_SECONDS)
    until(has_ended(sale), START_SECONDS, sweeps=True)

    assert saga(sale).status == "COMPLETED"


def test_long_queues_are_recognised(broker, monkeypatch):
    assert dispatcher.full_queues(QUEUES) == frozenset()
    monkeypatch.setattr(dispatcher, "MAX_WAITING_TASKS", 2)
    for _ in range(3):
        start()

    assert dispatcher.full_queues(QUEUES) == {"inventory"}


def test_after_commit_is_what_sends(broker):
    with transactions.transaction.atomic(using="sagas"):
        start()
        assert broker.llen("inventory") == 0

    assert broker.llen("inventory") == 1
    assert selectors.count_parked() == 0


def test_beat_answers_probes(processes):
    port = free_port()
    processes.beat(GAVEL_HEALTH_PORT=str(port))

    def is_ready():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer:
                return json.load(answer) == {"role": "beat", "ready": True}
        except urllib.error.HTTPError as refusal:
            refusal.close()  # it holds the connection
            return False
        except OSError:
            return False

    until(is_ready, START_SECONDS)


def free_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
