"""The roles as child processes of one parent: for the demo and for tests. `roles.ROLES` says what runs.

Each child gets a health port and a log file below `directory`; one that dies by itself is started again after
RESTART_SECONDS, as an init system would. The children end with `stop()`, and with the parent, however it ends.
"""

import contextlib
import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from django.conf import settings

from auction_project import logs, roles

READY_SECONDS = 90.0
STOP_SECONDS = 25.0
RESTART_SECONDS = 0.5
POLL_SECONDS = 0.1
PORT_ATTEMPTS = 200
# Below the ephemeral range: while a role restarts, no outgoing connection may take its port.
_PORTS = range(15_000, 32_768)
_given: set[int] = set()  # a role binds its port seconds later: until then it looks free
_ROOT = Path(__file__).resolve().parents[1]
_PR_SET_PDEATHSIG = 1

log = logs.get(__name__)


class NotReady(RuntimeError):
    """A role did not become ready in time."""


def free_port(preferred: int = 0) -> int:
    """`preferred` when nobody listens there, else a port of the loopback address that is free and was given to nobody yet.

    Raises NotReady.
    """
    others = [port for port in random.sample(_PORTS, PORT_ATTEMPTS) if port not in _given]
    for port in [preferred, *others] if preferred else others:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            _given.add(port)
            return port
    raise NotReady("no free port on 127.0.0.1")


class Process:
    """One role's process: `name` is unique in the stack (`web`, `web-2`)."""

    def __init__(
        self, name: str, argv: list[str], environment: Mapping[str, str], log_file: Path, health: int
    ) -> None:
        self.name = name
        self.argv = argv
        self.environment = dict(environment)
        self.log_file = log_file
        self.health_port = health
        self.port = 0  # where a web process serves
        self.wanted = False
        self.restarts = 0
        self._popen: subprocess.Popen[bytes] | None = None
        self._changing = threading.Lock()

    @property
    def pid(self) -> int:
        return self._popen.pid if self._popen else 0

    @property
    def alive(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def start(self, **overrides: str) -> None:
        """Start with `overrides` in the environment, this once; nothing if it runs."""
        with self._changing:
            self.wanted = True
            if not self.alive:
                self._spawn(overrides)

    def restart_if_dead(self) -> bool:
        """Start again what died by itself; whether it had."""
        with self._changing:
            if not self.wanted or self.alive:
                return False
            self.restarts += 1
            self._spawn({})
            return True

    def _spawn(self, overrides: Mapping[str, str]) -> None:
        with self.log_file.open("ab") as output:
            self._popen = subprocess.Popen(
                self.argv,
                cwd=_ROOT,
                env={**self.environment, **overrides},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                umask=0o077,  # logs, mails and pictures are for this user alone
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def kill(self) -> None:
        """As a crash would; it stays dead until it is started."""
        with self._changing:
            self.wanted = False
            self._signal(signal.SIGKILL)
            if self._popen is not None:
                self._popen.wait()

    def end(self) -> None:
        """Ask it to drain and stop."""
        with self._changing:
            self.wanted = False
            self._signal(signal.SIGTERM)

    def wait(self, seconds: float) -> None:
        if self._popen is None:
            return
        try:
            self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            log.warning("role_killed", role=self.name, waited_seconds=seconds)
            self.kill()

    def tail(self, lines: int = 15) -> str:
        text = self.log_file.read_text(errors="replace") if self.log_file.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def _signal(self, number: signal.Signals) -> None:
        if self._popen is not None and self._popen.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._popen.pid, number)


class Stack:
    """All roles, `copies` of some. `environment` is added to this process's own."""

    def __init__(
        self,
        directory: Path,
        *,
        environment: Mapping[str, str],
        web_port: int = 8000,
        copies: Mapping[str, int] | None = None,
    ) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.web_port = free_port(web_port)
        self.url = f"http://127.0.0.1:{self.web_port}"
        bank_port = free_port()
        self.environment = {
            **os.environ,
            "GAVEL_VAR_DIR": str(directory),
            "MEDIA_ROOT": str(directory / "media"),
            "PUBLIC_URL": self.url,
            "BANK_URL": f"http://127.0.0.1:{bank_port}",
            "JWT_PRIVATE_KEY": settings.JWT_PRIVATE_KEY,
            "SECRET_KEY": settings.SECRET_KEY,
            "BANK_API_KEY": settings.BANK_API_KEY,
            "PYTHONUNBUFFERED": "1",
            **environment,
        }
        self.processes: dict[str, Process] = {}
        for role in roles.ROLES:
            for _ in range((copies or {}).get(role.name, 1)):
                self.add(role.name)
        self._watcher = threading.Thread(target=self._watch, name="stack", daemon=True)
        self._stopping = threading.Event()
        self._stopped = threading.Event()

    def add(self, role_name: str) -> Process:
        """One more copy of a role, not started yet. The second of `web` is `web-2`, and has a port of its own."""
        role = roles.BY_NAME[role_name]
        number = 1 + sum(name.partition("-")[0] == role_name for name in self.processes)
        name = role.name if number == 1 else f"{role.name}-{number}"
        argv, health, port = role.argv(), free_port(), 0
        if role.name == "web":
            port = self.web_port if number == 1 else free_port()
            argv += ["--port", str(port)]
        elif role.name == "beat":
            argv += ["-s", str(self.directory / "celerybeat-schedule")]
        environment = {**self.environment, "GAVEL_HEALTH_PORT": str(health)}
        process = Process(name, argv, environment, self.directory / f"{name}.log", health)
        process.port = port
        self.processes[name] = process
        return process

    def __getitem__(self, name: str) -> Process:
        return self.processes[name]

    def start(self) -> None:
        """Start every role and wait until all are ready. Raises NotReady with the tail of the log."""
        self.start_unready()
        self.wait_ready()

    def start_unready(self) -> None:
        """Start every role; one that ends is started again from now on."""
        for process in self.processes.values():
            process.start()
        self._watcher.start()

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        for process in self.processes.values():
            while process.wanted and not process.ready():
                if time.monotonic() > deadline:
                    raise NotReady(f"{process.name} is not ready:\n{process.tail()}")
                time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """End every role; what does not drain in STOP_SECONDS is killed."""
        self._stopping.set()
        for process in self.processes.values():
            process.end()
        deadline = time.monotonic() + STOP_SECONDS
        for process in self.processes.values():
            process.wait(max(0.1, deadline - time.monotonic()))
        self._stopped.set()

    def pids(self) -> dict[str, int]:
        return {name: process.pid for name, process in self.processes.items()}

    def _watch(self) -> None:
        """Lives until all have stopped: the kernel ends a child with the thread that started it."""
        while not self._stopped.wait(RESTART_SECONDS):
            for process in list(self.processes.values()):
                if not self._stopping.is_set() and process.restart_if_dead():
                    log.warning("role_restarted", role=process.name, restarts=process.restarts)


def _die_with_parent() -> None:
    """In the child, before exec: the kernel ends it when the parent's thread ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
