"""Faults on purpose, and servers that die by themselves."""

import os
import signal
import time
from collections.abc import Callable

import psycopg
import pymongo
import pytest
import redis

from auction_project.tools.embedded import process
from auction_project.tools.embedded.tests.running import Run, call, wait_for

Start = Callable[..., Run]
KEYS = {"postgres": "postgres", "redis": "valkey", "mongodb": "mongodb"}


def ask(run: Run, name: str) -> bool:
    """Whether a client is answered, within two or three seconds."""
    try:
        match name:
            case "postgres":
                with run.connect() as session:
                    session.execute("SELECT 1")
            case "redis":
                with run.open_redis() as client:
                    client.ping()
            case "mongodb":
                with run.open_mongodb() as client:
                    client.admin.command("ping")
    except (psycopg.Error, redis.RedisError, pymongo.errors.PyMongoError):
        return False
    return True


@pytest.mark.parametrize("name", KEYS)
def test_killed_server_stays_away_until_it_is_started_on_its_port(start: Start, name: str) -> None:
    run = start(only=KEYS[name])
    before = run.state["servers"][KEYS[name]]

    killed = run.control("kill", name)
    time.sleep(1.5)  # longer than the supervisor's tick: it must not restart what was killed on purpose

    assert killed.returncode == 0, killed.stderr
    assert process.look_up(before["pid"]) is None
    assert not ask(run, name)
    assert run.control("start", name).stdout == f"{name} is running\n"
    assert ask(run, name)
    after = run.state["servers"][KEYS[name]]
    assert after["port"] == before["port"]
    assert after["pid"] != before["pid"]


@pytest.mark.parametrize("name", KEYS)
def test_paused_server_does_not_answer_until_it_is_resumed(start: Start, name: str) -> None:
    run = start(only=KEYS[name])

    paused = run.control("pause", name)

    assert paused.returncode == 0, paused.stderr
    assert not ask(run, name)
    assert run.control("resume", name).returncode == 0
    wait_for(lambda: ask(run, name))


def test_pause_reaches_sessions_that_are_open(start: Start) -> None:
    run = start(only="postgres")
    session = run.connect()
    backend = session.execute("SELECT pg_backend_pid()").fetchone()[0]

    run.control("pause", "postgres")
    paused = process.look_up(backend)
    run.control("resume", "postgres")

    assert paused is not None
    assert paused.state == "T"
    assert session.execute("SELECT 1").fetchone() == (1,)
    session.close()


def test_run_ends_in_good_order_with_a_paused_server(start: Start) -> None:
    run = start()
    run.control("pause", "postgres")
    run.control("kill", "mongodb")

    assert run.end() == 128 + signal.SIGTERM
    assert run.list_survivors() == []


@pytest.mark.parametrize("name", KEYS)
def test_server_that_dies_is_started_again_with_its_data(start: Start, name: str) -> None:
    run = start(only=KEYS[name])
    session = run.connect() if name == "postgres" else None
    before = run.state["servers"][KEYS[name]]

    os.kill(before["pid"], signal.SIGKILL)

    wait_for(lambda: run.state["servers"][KEYS[name]]["pid"] not in (before["pid"], None))
    wait_for(lambda: ask(run, name))
    assert run.state["servers"][KEYS[name]]["port"] == before["port"]
    assert "ended by itself (SIGKILL); starting it again" in run.errors.read_text()
    if session is not None:
        session.close()


def test_server_that_keeps_dying_ends_the_run(start: Start) -> None:
    run = start(only="valkey")

    pids = set()
    while run.front.poll() is None and len(pids) < 20:
        pid = run.state["servers"]["valkey"]["pid"]
        if pid is not None and pid not in pids:
            pids.add(pid)
            process.send([pid], signal.SIGKILL)
        time.sleep(0.02)

    assert run.front.wait(30) == 70
    assert len(pids) == 6  # the first, and five restarts
    assert "Valkey keeps ending; giving up" in run.errors.read_text()
    assert run.list_survivors() == []


def test_impossible_wish_is_refused_and_changes_nothing(start: Start) -> None:
    run = start(only="valkey")

    refusals = {
        ("resume", "redis"): "Cannot resume redis: it is running.",
        ("start", "redis"): "Cannot start redis: it is running.",
        ("kill", "postgres"): "No server postgres here (there are: redis).",
    }
    for (action, name), reason in refusals.items():
        refused = run.control(action, name)
        assert refused.returncode == 1
        assert reason in refused.stderr
    assert ask(run, "redis")


def test_status_says_what_runs(start: Start) -> None:
    run = start(only="valkey")
    server = run.state["servers"]["valkey"]

    running = call("status", data=run.data)
    run.end()
    ended = call("status", data=run.data)
    refused = call("control", "kill", "redis", data=run.data)

    assert running.returncode == 0
    assert running.stdout.splitlines()[1].split() == [
        "Valkey",
        "running",
        str(server["port"]),
        str(server["pid"]),
    ]
    assert ended.returncode == 3
    assert refused.returncode == 1
    assert "No run uses" in refused.stderr
