"""A real run for the tests: starts `embedded run` with a COMMAND that waits, connects to its servers, and looks at its processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pymongo
import redis

from auction_project.tools.embedded import process
from auction_project.tools.embedded.postgres import PostgreSQL

PROGRAM = (sys.executable, "-m", "auction_project.tools.embedded")
REPOSITORY = Path(__file__).resolve().parents[4]
START_TIMEOUT_S = 60.0
STEP_TIMEOUT_S = 30.0
WAITING = "import json, os, sys, time; json.dump(dict(os.environ), open(sys.argv[1] + '.new', 'w')); os.rename(sys.argv[1] + '.new', sys.argv[1]); time.sleep(600)"
VARIABLES = (*PostgreSQL.variables, "MONGODB_URL", "REDIS_URL", "CELERY_BROKER_URL", "GAVEL_SERVICE_CONTROL")


def get_clean_environment(**more: str) -> dict[str, str]:
    """The environment of the tests without the variables that would make a run start nothing."""
    return {name: value for name, value in os.environ.items() if name not in VARIABLES} | more


def call(
    *arguments: str, data: Path, command: list[str] | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """`python -m auction_project.tools.embedded ...` to its end."""
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "auction_project.tools.embedded",
            *arguments,
            "--data",
            str(data),
            *(["--", *command] if command else []),
        ],
        cwd=REPOSITORY,
        env=get_clean_environment(**environment),
        capture_output=True,
        text=True,
        timeout=START_TIMEOUT_S,
        check=False,
    )


def wait_for(condition: Callable[[], Any], *, timeout_s: float = STEP_TIMEOUT_S) -> Any:
    """The first true value of `condition`; errors of a server that does not answer count as false."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            if value := condition():
                return value
        except (OSError, psycopg.Error, redis.RedisError, pymongo.errors.PyMongoError):
            pass
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


class Run:
    """A run whose COMMAND has written down its environment and waits."""

    def __init__(self, data: Path, *, only: str = "postgres,valkey,mongodb") -> None:
        self.data = data
        data.parent.mkdir(parents=True, exist_ok=True)
        environment_file = data.parent / f"{data.name}.environment.json"
        environment_file.unlink(missing_ok=True)
        self.errors = data.parent / f"{data.name}.errors.txt"
        with self.errors.open("wb") as errors:
            self.front = subprocess.Popen(
                [
                    *PROGRAM,
                    "run",
                    "--data",
                    str(data),
                    "--only",
                    only,
                    "--",
                    sys.executable,
                    "-c",
                    WAITING,
                    str(environment_file),
                ],
                cwd=REPOSITORY,
                env=get_clean_environment(),
                stderr=errors,
                start_new_session=True,
            )
        wait_for(
            lambda: environment_file.exists() or self.front.poll() is not None, timeout_s=START_TIMEOUT_S
        )
        assert self.front.poll() is None, self.errors.read_text()
        self.environment: dict[str, str] = json.loads(environment_file.read_text())
        self.processes = process.list_descendants(self.front.pid)

    @property
    def state(self) -> dict[str, Any]:
        return dict(json.loads((self.data / "state.json").read_text()))

    @property
    def supervisor(self) -> int:
        return int(self.state["supervisor"])

    def connect(self, app: str = "orders") -> psycopg.Connection:
        return psycopg.connect(
            self.environment[f"DATABASE_URL_{app.upper()}"], autocommit=True, connect_timeout=3
        )

    def open_redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.environment["REDIS_URL"], socket_timeout=2)

    def open_mongodb(self) -> pymongo.MongoClient:
        return pymongo.MongoClient(
            self.environment["MONGODB_URL"], serverSelectionTimeoutMS=2000, socketTimeoutMS=2000
        )

    def control(self, action: str, name: str) -> subprocess.CompletedProcess[str]:
        return call("control", action, name, data=self.data)

    def kill_everything(self) -> None:
        """kill -9 all at one moment, so that none can react."""
        pids = [self.front.pid, *(descendant.pid for descendant in process.list_descendants(self.front.pid))]
        process.send(pids, signal.SIGSTOP)
        process.send(pids, signal.SIGKILL)
        self.front.wait(STEP_TIMEOUT_S)
        assert process.wait_until_gone(pids, timeout_s=STEP_TIMEOUT_S)

    def end(self) -> int:
        """SIGTERM, as a person or a service manager would; return the exit code."""
        if self.front.poll() is None:
            self.front.terminate()
        return self.front.wait(STEP_TIMEOUT_S)

    def list_survivors(self) -> list[process.Process]:
        """Of the processes that the run once had, those that still live."""
        pairs = [(known, process.look_up(known.pid)) for known in self.processes]
        return [now for known, now in pairs if now is not None and now.alive and now.started == known.started]
