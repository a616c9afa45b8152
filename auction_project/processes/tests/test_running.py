"""How a role runs: it waits, beats, drains and ends. A loop waits through an outage; a bug ends the process."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import httpx
import pytest
from django.conf import settings

from auction_project.kernel import errors
from auction_project.kernel.messaging import consuming, failure, metrics, relay
from auction_project.processes import health, needs, running
from bidding import clock
from bidding.publishing import relay as log_relay


class Counting:
    """A loop that does `work` and counts its steps."""

    name = "counting"

    def __init__(self, work: Callable[[int], bool] = lambda _step: True) -> None:
        self.steps = 0
        self.closed = 0
        self._work = work

    def step(self) -> bool:
        self.steps += 1
        return self._work(self.steps)

    def close(self) -> None:
        self.closed += 1


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failure, "FIRST_PAUSE_SECONDS", 0.01)


def _stop_after(
    steps: int, stop: threading.Event, work: Callable[[int], None] = lambda _step: None
) -> Counting:
    def step(number: int) -> bool:
        work(number)
        if number >= steps:
            stop.set()
        return True

    return Counting(step)


def test_loops_run_until_the_stop_and_are_closed() -> None:
    stop = threading.Event()
    first, second = Counting(), _stop_after(20, stop)

    code = running.run("test", [], [lambda: first, lambda: second], stop)

    assert code == 0
    assert second.steps == 20
    assert first.steps > 0
    assert (first.closed, second.closed) == (1, 1)


def test_an_outage_is_waited_for_and_the_loop_goes_on() -> None:
    stop = threading.Event()

    def fail_at_first(number: int) -> None:
        if number < 4:
            raise errors.Unavailable("the database is unavailable")

    loop = _stop_after(6, stop, fail_at_first)

    assert running.run("test", [], [lambda: loop], stop) == 0
    assert (loop.steps, loop.closed) == (6, 1)


def test_a_loop_that_many_wait_for_notices_the_end_of_an_outage_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failure, "FIRST_PAUSE_SECONDS", 15.0)
    stop = threading.Event()

    def fail_at_first(number: int) -> None:
        if number < 4:
            raise errors.Unavailable("the database is unavailable")

    loop = _stop_after(4, stop, fail_at_first)
    loop.longest_pause_seconds = 0.05  # type: ignore[attr-defined]
    began = time.monotonic()

    assert running.run("test", [], [lambda: loop], stop) == 0
    assert time.monotonic() - began < 5.0
    loops = (clock.Clock, log_relay.LogRelay, relay.OutboxRelay, consuming.ConsumerLoop)
    assert [each.longest_pause_seconds for each in loops] == [1.0] * len(loops)


def test_a_loop_that_cannot_be_made_yet_is_made_later() -> None:
    stop = threading.Event()
    tries: list[int] = []

    def make() -> Counting:
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionError
        return _stop_after(1, stop)

    assert running.run("test", [], [make], stop) == 0
    assert len(tries) == 3


def test_a_bug_in_one_loop_ends_the_role_with_an_error_and_closes_all() -> None:
    def stumble(_number: int) -> bool:
        raise ValueError("a bug")

    healthy, broken = Counting(), Counting(stumble)

    code = running.run("test", [], [lambda: healthy, lambda: broken], threading.Event())

    assert code == 1
    assert (broken.steps, broken.closed, healthy.closed) == (1, 1, 1)


def test_a_loop_that_cannot_be_closed_is_an_error_too() -> None:
    class Stuck(Counting):
        def close(self) -> None:
            raise ValueError("a bug")

    stop = threading.Event()
    stop_soon = _stop_after(3, stop)

    assert running.run("test", [], [Stuck, lambda: stop_soon], stop) == 1


def test_a_loop_that_does_not_drain_is_left_behind_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "DRAIN_SECONDS", 0.1)
    stop, release = threading.Event(), threading.Event()
    slow = Counting(lambda _step: release.wait(10))
    quick = _stop_after(1, stop)

    assert running.run("test", [], [lambda: slow, lambda: quick], stop) == 1
    release.set()


def test_nothing_runs_before_its_needs_are_met(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []

    def check(name: str) -> None:
        checked.append(name)
        if len(checked) < 3:
            raise errors.Unavailable

    monkeypatch.setitem(needs._CHECKS, "postgres", check)
    monkeypatch.setattr(needs, "PAUSE_SECONDS", 0.01)
    stop = threading.Event()
    loop = _stop_after(1, stop)

    assert running.run("test", ["postgres:orders"], [lambda: loop], stop) == 0
    assert checked == ["orders", "orders", "orders"]

    stop = threading.Event()
    stop.set()
    unused = Counting()
    assert running.run("test", ["postgres:orders"], [lambda: unused], stop) == 0
    assert (unused.steps, unused.closed) == (0, 0)


def test_an_idle_loop_is_stepped_at_least_four_times_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    loop = Counting(lambda _step: False)
    threading.Timer(1.0, stop.set).start()

    running.run("test", [], [lambda: loop], stop)

    assert 4 <= loop.steps <= 20


# --- health ------------------------------------------------------------------------------------------------------


def _get(url: str) -> tuple[int, bytes]:
    answer = httpx.get(url, timeout=5)
    return answer.status_code, answer.content


def test_health_answers_live_ready_and_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    state = health.State("relay")
    server = health.serve(state)
    try:
        assert _get(f"{server.url}/readyz")[0] == 503
        state.ready = True
        state.beat("relay-0")
        assert json.loads(_get(f"{server.url}/readyz")[1]) == {"role": "relay", "ready": True}
        assert json.loads(_get(f"{server.url}/livez")[1]) == {"role": "relay", "stale": []}

        monkeypatch.setattr(health, "STALE_SECONDS", -1.0)  # every heartbeat is older
        status, body = _get(f"{server.url}/livez")
        assert (status, json.loads(body)) == (503, {"role": "relay", "stale": ["relay-0"]})

        status, body = _get(f"{server.url}/metrics")
        assert status == 200
        assert f"{metrics.PUBLISHED._name}_total".encode() in body
        assert _get(f"{server.url}/other")[0] == 404
    finally:
        server.close()


def test_a_loop_that_waits_for_a_service_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    beats: list[str] = []
    monkeypatch.setattr(health.State, "beat", lambda _state, name: beats.append(name))
    stop = threading.Event()

    def fail(number: int) -> None:
        if number == 5:
            stop.set()
        raise errors.Unavailable

    running.run("test", [], [lambda: _stop_after(9, stop, fail)], stop)

    assert beats == ["test-0"] * 5


# --- signals, as a process ---------------------------------------------------------------------------------------

_ROLE = """
import os, sys
sys.path.insert(0, os.getcwd())
os.environ["DJANGO_SETTINGS_MODULE"] = "auction_project.settings.test"
import django
django.setup()
from auction_project.kernel import failpoints
from auction_project.processes import running

class Working:
    name = "working"
    def step(self):
        print("begun", flush=True)
        failpoints.reach("step.middle")
        sys.stdin.readline()
        print("done", flush=True)
        return True
    def close(self):
        print("closed", flush=True)

sys.exit(running.run("working", [], [Working], running.stop_on_signals()))
"""


def _role(failpoints: str = "", *, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
    """A process whose steps last until a line comes on `stdin`, or its end."""
    return subprocess.Popen(
        [sys.executable, "-c", _ROLE],
        cwd=settings.BASE_DIR,
        env={**os.environ, "GAVEL_FAILPOINTS": failpoints},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_step_end_and_exits_0(number: int) -> None:
    role = _role(stdin=subprocess.PIPE)
    assert role.stdout is not None
    assert role.stdout.readline() == "begun\n"

    role.send_signal(number)
    out, _ = role.communicate("\n", timeout=30)

    assert out.splitlines()[-2:] == ["done", "closed"]
    assert role.returncode == 0


@pytest.mark.parametrize(
    ("action", "code", "last"), [("kill", -9, "begun"), ("raise", 1, "closed"), ("sleep:0.01", None, "done")]
)
def test_an_armed_failpoint_acts(action: str, code: int | None, last: str) -> None:
    role = _role(f"other=kill, step.middle={action}")
    assert role.stdout is not None
    if code is None:
        assert [role.stdout.readline().strip() for _ in range(2)] == ["begun", "done"]
        role.kill()
    out, _ = role.communicate(timeout=30)

    if code is not None:
        assert role.returncode == code
        assert out.splitlines()[-1] == last


@pytest.mark.parametrize("command", ["migrate_all", "load"])
def test_a_command_without_its_database_says_so_and_what_to_do(command: str) -> None:
    names = [name for name in os.environ if name.startswith("DATABASE_URL_")]
    unreachable = dict.fromkeys(names, "postgres://nobody@127.0.0.1:9/nothing")
    finished = subprocess.run(
        [sys.executable, "manage.py", command],
        cwd=settings.BASE_DIR,
        env={**os.environ, **unreachable, "GAVEL_LOG_LEVEL": "CRITICAL"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert finished.returncode == 1
    assert "A store is unavailable: " in finished.stderr
    assert finished.stderr.endswith("Start it, or name another in the environment (see .env.example).\n")
    assert "Traceback" not in finished.stderr
