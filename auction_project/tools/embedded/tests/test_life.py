"""A run's life: it starts, gives its variables, ends, and leaves nothing behind however it ends."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from auction_project.tools.embedded import process
from auction_project.tools.embedded.postgres import DATABASES
from auction_project.tools.embedded.tests.running import (
    PROGRAM,
    REPOSITORY,
    VARIABLES,
    Run,
    call,
    get_clean_environment,
    wait_for,
)

Start = Callable[..., Run]
SHOW = f"import json, os; print(json.dumps({{name: os.environ.get(name) for name in {VARIABLES!r}}}))"


def test_command_gets_every_variable_and_its_exit_code_passes(place: Path) -> None:
    done = call("run", data=place / "data", command=[sys.executable, "-c", f"{SHOW}; raise SystemExit(7)"])

    assert done.returncode == 7, done.stderr
    variables = json.loads(done.stdout)
    assert [name for name, value in variables.items() if not value] == []
    assert variables["REDIS_URL"].endswith("/0")
    assert variables["CELERY_BROKER_URL"] == variables["REDIS_URL"].removesuffix("/0") + "/1"


def test_second_run_uses_the_same_ports_and_passwords(place: Path) -> None:
    first = call("run", data=place / "data", command=[sys.executable, "-c", SHOW])
    second = call("run", data=place / "data", command=[sys.executable, "-c", SHOW])

    assert first.returncode == second.returncode == 0
    assert first.stdout == second.stdout


def test_variable_that_is_set_is_kept_and_its_server_not_started(place: Path) -> None:
    given = {
        "MONGODB_URL": "mongodb://elsewhere/bids",
        "REDIS_URL": "redis://elsewhere/0",
        "CELERY_BROKER_URL": "amqp://elsewhere",
    }

    done = call(
        "run", "--only", "valkey,mongodb", data=place / "data", command=[sys.executable, "-c", SHOW], **given
    )

    assert done.returncode == 0, done.stderr
    assert {name: value for name, value in json.loads(done.stdout).items() if value} == given
    assert not (place / "data" / "valkey").exists()
    assert not (place / "data" / "mongodb").exists()


def test_one_variable_of_a_server_is_kept_beside_the_embedded_others(place: Path) -> None:
    done = call(
        "run",
        "--only",
        "valkey",
        data=place / "data",
        command=[sys.executable, "-c", SHOW],
        CELERY_BROKER_URL="amqp://elsewhere",
    )

    variables = json.loads(done.stdout)
    assert variables["CELERY_BROKER_URL"] == "amqp://elsewhere"
    assert variables["REDIS_URL"].startswith("redis://:")


def test_passwords_and_state_are_private(start: Start) -> None:
    run = start(only="valkey")

    modes = {
        name: stat.S_IMODE((run.data / name).stat().st_mode) for name in ("secrets.json", "state.json", ".")
    }
    assert modes == {"secrets.json": 0o600, "state.json": 0o600, ".": 0o700}


def test_command_that_does_not_exist_is_127(place: Path) -> None:
    done = call("run", "--only", "valkey", data=place / "data", command=["no-such-program"])

    assert done.returncode == 127
    assert "cannot run no-such-program" in done.stderr


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_signal_reaches_command_which_decides_what_it_means(place: Path, signum: signal.Signals) -> None:
    ready = place / "ready"
    program = (
        "import pathlib, signal, sys, time\n"
        f"signal.signal(signal.{signum.name}, lambda *_: sys.exit(9))\n"
        "pathlib.Path(sys.argv[1]).touch()\n"
        "time.sleep(60)\n"
    )
    front = subprocess.Popen(
        [
            *PROGRAM,
            "run",
            "--only",
            "valkey",
            "--data",
            str(place / "data"),
            "--",
            sys.executable,
            "-c",
            program,
            str(ready),
        ],
        cwd=REPOSITORY,
        env=get_clean_environment(),
        stderr=subprocess.DEVNULL,
    )
    wait_for(ready.exists)

    front.send_signal(signum)

    assert front.wait(30) == 9


def test_sigterm_ends_everything(start: Start) -> None:
    run = start()

    code = run.end()

    assert code == 128 + signal.SIGTERM
    assert run.list_survivors() == []
    assert "database system is shut down" in (run.data / "log" / "postgres.log").read_text()


def test_what_command_leaves_behind_is_ended(place: Path) -> None:
    forgetful = "import subprocess; print(subprocess.Popen(['sleep', '600'], start_new_session=True, stdout=subprocess.DEVNULL).pid)"

    done = call("run", "--only", "valkey", data=place / "data", command=[sys.executable, "-c", forgetful])

    assert done.returncode == 0
    left = process.look_up(int(done.stdout))
    assert left is None or not left.alive


def test_killed_front_leaves_nothing(start: Start) -> None:
    run = start()
    session = run.connect()
    paused = run.control("pause", "redis")

    run.front.kill()

    assert paused.returncode == 0
    wait_for(lambda: run.list_survivors() == [])
    session.close()


def test_killed_supervisor_leaves_nothing(start: Start) -> None:
    run = start()
    session = run.connect()

    os.kill(run.supervisor, signal.SIGKILL)

    assert run.front.wait(30) == 70
    assert run.list_survivors() == []
    session.close()


def test_front_and_supervisor_killed_together_leave_no_server(start: Start) -> None:
    run = start()
    session = run.connect()

    process.send([run.supervisor, run.front.pid], signal.SIGKILL)

    run.front.wait(30)
    wait_for(lambda: run.list_survivors() == [])
    session.close()


def test_paused_server_of_a_killed_run_is_ended_by_the_next(start: Start) -> None:
    first = start()
    assert first.control("pause", "postgres").returncode == 0
    both = [first.supervisor, first.front.pid]
    process.send(both, signal.SIGSTOP)  # else the one that dies last ends the servers, if it is quick
    process.send(both, signal.SIGKILL)
    first.front.wait(30)
    assert {left.program for left in first.list_survivors()} >= {"postgres"}

    second = start()

    assert first.list_survivors() == []
    with second.connect() as session:
        assert session.execute("SELECT 1").fetchone() == (1,)


def test_kill_of_everything_loses_nothing_that_was_acknowledged(start: Start) -> None:
    first = start()
    with first.connect() as session:
        session.execute("CREATE TABLE acknowledged (number int PRIMARY KEY)")
    session, redis, mongodb = first.connect(), first.open_redis(), first.open_mongodb()
    bids = mongodb.get_default_database().bids
    for number in range(200):
        session.execute("INSERT INTO acknowledged VALUES (%s)", (number,))
        redis.set(f"acknowledged:{number}", number)
        bids.insert_one({"_id": f"bid:{number}"})

    first.kill_everything()
    for client in (session, redis, mongodb):
        client.close()
    second = start()

    with second.connect() as session:
        assert session.execute("SELECT count(*), max(number) FROM acknowledged").fetchone() == (200, 199)
    with second.open_redis() as redis:
        assert len(redis.keys("acknowledged:*")) == 200
    with second.open_mongodb() as mongodb:
        assert mongodb.get_default_database().bids.count_documents({}) == 200
    assert second.environment["MONGODB_URL"] == first.environment["MONGODB_URL"]


def test_second_run_on_the_same_data_is_refused_at_once(start: Start) -> None:
    run = start(only="valkey")
    began = time.monotonic()

    refused = call("run", "--only", "valkey", data=run.data, command=["true"])

    assert refused.returncode == 70
    assert f"Another run (process {run.front.pid}) uses {run.data}" in refused.stderr
    assert time.monotonic() - began < 5
    with run.open_redis() as redis:
        assert redis.ping()


def test_port_that_was_taken_meanwhile_is_given_up(start: Start) -> None:
    first = start(only="valkey")
    port = first.state["servers"]["valkey"]["port"]
    first.end()

    with socket.create_server(("127.0.0.1", port)):
        second = start(only="valkey")

        assert second.state["servers"]["valkey"]["port"] != port
        with second.open_redis() as redis:
            assert redis.ping()


def test_server_that_cannot_start_is_reported_with_the_end_of_its_log(place: Path) -> None:
    broken = place / "data" / "valkey" / "appendonlydir"
    broken.parent.mkdir(parents=True)
    broken.write_text("not a directory")

    done = call("run", "--only", "valkey", data=place / "data", command=["true"])

    assert done.returncode == 70
    assert "Valkey ended with 1 while starting" in done.stderr
    assert "appendonlydir" in done.stderr


def test_each_role_opens_its_own_database_and_no_other(start: Start) -> None:
    run = start(only="postgres")
    for role in DATABASES:
        url = run.environment[f"DATABASE_URL_{role.removeprefix('gavel_').upper()}"]
        for database in DATABASES:
            target = url.rpartition("/")[0] + f"/{database}"
            if database == role:
                with psycopg.connect(target) as session:
                    assert session.execute(
                        "SELECT current_user::text, current_database()::text"
                    ).fetchone() == (role, role)
                continue
            with pytest.raises(psycopg.OperationalError, match="no pg_hba"):
                psycopg.connect(target)


def test_grants_alone_keep_roles_out_too(start: Start) -> None:
    run = start(only="postgres")

    with run.connect("orders") as session:
        allowed = session.execute(
            "SELECT datname::text FROM pg_database WHERE has_database_privilege(oid, 'CONNECT') AND datname LIKE 'gavel%'"
        ).fetchall()

    assert allowed == [("gavel_orders",)]


def test_role_makes_and_opens_a_test_database_that_others_cannot_open(start: Start) -> None:
    run = start(only="postgres")
    url = run.environment["DATABASE_URL_ORDERS"].rpartition("/")[0]
    with psycopg.connect(f"{url}/postgres", autocommit=True) as session:
        session.execute("CREATE DATABASE test_gavel_orders")

    with psycopg.connect(f"{url}/test_gavel_orders") as session:
        assert session.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError, match="no pg_hba"):
        psycopg.connect(run.environment["DATABASE_URL_SAGAS"].rpartition("/")[0] + "/test_gavel_orders")


def test_servers_are_durable_and_private(start: Start) -> None:
    run = start()

    with run.connect() as session:
        names = ("fsync", "synchronous_commit", "full_page_writes", "listen_addresses", "max_connections")
        settings = {
            name: session.execute("SELECT current_setting(%s)", (name,)).fetchone()[0] for name in names
        }
    with run.open_redis() as redis:
        configuration = {
            **redis.config_get("append*"),
            **redis.config_get("maxmemory-policy"),
            **redis.config_get("bind"),
        }
    with socket.create_connection(("127.0.0.1", run.state["servers"]["valkey"]["port"])) as stranger:
        stranger.sendall(b"PING\r\n")
        answer = stranger.recv(100)

    assert list(settings.values()) == ["on", "on", "on", "127.0.0.1", "200"]
    assert configuration["appendonly"] == "yes"
    assert configuration["appendfsync"] == "always"
    assert configuration["maxmemory-policy"] == "noeviction"
    assert configuration["bind"] == "127.0.0.1"
    assert answer.startswith(b"-NOAUTH")
