"""The roles as child processes of one parent: for the demo and for tests. `roles.ROLES` says what runs.

Each child gets a health port and a log file below `directory`. A child that dies by itself is started again after
RESTART_SECONDS, as an init system would do. The children end with `stop()`, and with the parent, however it ends.

With `pools`, a gateway serves the port of the stack, and the web processes stand behind it.

The parent keeps the port of the stack and hands it to its child: no other program takes it, and connections wait while the child
restarts. A web process behind the gateway is alone on its port: when it dies, connections are refused, and the gateway turns to
another copy at once. A role is ready only if its answer names the INSTANCE that this stack gave it.
"""

import contextlib
import ctypes
import functools
import json
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
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent import futures
from pathlib import Path

from django.conf import settings

from auction_project.kernel import logs
from auction_project.processes import identity, roles

READY_SECONDS = 90.0
STOP_SECONDS = 25.0
# For what is under way in a gateway that has a successor; then streams are cut, and resume.
GATEWAY_SECONDS = 10.0
RESTART_SECONDS = 0.5
POLL_SECONDS = 0.1
READY_ANSWER_SECONDS = 2.0
PORT_ATTEMPTS = 200
NEAR_PORTS = 20  # the preferred port and those that follow it, which are tried before any other
BACKLOG = 4096  # connections that may wait while the web role restarts
# The web processes of one machine behind a gateway, and the pools of each.
SMALL_HOUSE = {"bids": ("bids",), "push": ("push",), "site": ("site", "stock", "orders")}
COPIES_OF_SMALL_HOUSE = {"bids": 2}
# Below the ephemeral range, so that no outgoing connection takes the port of a role that restarts.
_PORTS = range(15_000, 32_768)
_given: set[int] = set()  # a role binds its port seconds later, and until then the port looks free
_ROOT = Path(__file__).resolve().parents[2]
_PR_SET_PDEATHSIG = 1

log = logs.get(__name__)


class NotReady(RuntimeError):
    """A role did not become ready in time."""


def free_port() -> int:
    """A free port of the loopback address that no role has yet. Raises NotReady."""
    for port in random.sample(_PORTS, PORT_ATTEMPTS):
        if port not in _given:
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
                _given.add(port)
                return port
    raise NotReady("no free port on 127.0.0.1")


def listen(preferred: int = 0) -> socket.socket:
    """A socket that listens on the loopback address: on `preferred`, on one of the ports after it, or on any free one.

    Raises NotReady.
    """
    near = range(preferred, min(preferred + NEAR_PORTS, 65_536)) if preferred else ()
    others = [port for port in random.sample(_PORTS, PORT_ATTEMPTS) if port not in _given]
    for port in [*near, *others]:
        with contextlib.suppress(OSError):
            listener = _listen_on(port)
            _given.add(port)
            return listener
    raise NotReady("no free port on 127.0.0.1")


def _listen_on(port: int) -> socket.socket:
    listener = _bind(port)
    listener.listen(BACKLOG)
    return listener


def _bind(port: int) -> socket.socket:
    """A socket on a port of the loopback address that refuses connections until it listens. Raises OSError."""
    bound = socket.socket()
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", port))
    except OSError:
        bound.close()
        raise
    return bound


class Process:
    """The process of one role. `name` is unique in the stack (`web`, `web-2`).

    It serves on `listener`, which this process keeps, so that connections wait while the role restarts; or on `port`, which
    the role has alone, so that connections are refused while it is dead; or on no port.

    `should_run`: from its start to its `end` or `kill`. `restarts` counts the restarts after it had died by itself.
    """

    def __init__(
        self,
        name: str,
        argv: list[str],
        environment: Mapping[str, str],
        log_file: Path,
        health_port: int,
        listener: socket.socket | None = None,
        port: int = 0,
    ) -> None:
        self.name = name
        self.argv = argv
        self.environment = dict(environment)
        self.log_file = log_file
        self.health_port = health_port
        self._listener = listener
        self.port = listener.getsockname()[1] if listener else port
        self.should_run = False
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
        """Start it with `overrides` in the environment, for this run only. Does nothing if it runs."""
        with self._changing:
            self.should_run = True
            if not self.alive:
                self._spawn(overrides)

    def restart_if_dead(self) -> bool:
        """Start it again if it has died by itself; whether it had."""
        with self._changing:
            if not self.should_run or self.alive:
                return False
            self._spawn({})
            self.restarts += 1  # those who wait for it may change the environment then
            return True

    def _spawn(self, overrides: Mapping[str, str]) -> None:
        """Start the child with the socket that it inherits, if it serves on one. Raises OSError."""
        if self._listener is not None and self._listener.fileno() == -1:  # `kill` has released the port
            self._listener = _listen_on(self.port)
        with contextlib.ExitStack() as spawning:
            served = self._listener
            if served is None and self.port:
                served = spawning.enter_context(_bind(self.port))
            inherited = [] if served is None else [served.fileno()]
            output = spawning.enter_context(self.log_file.open("ab"))
            self._popen = subprocess.Popen(
                [*self.argv, *(word for number in inherited for word in ("--fd", str(number)))],
                cwd=_ROOT,
                env={**self.environment, **overrides},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                umask=0o077,  # logs, mails and pictures are for this user alone
                pass_fds=inherited,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )

    def ready(self) -> bool:
        """Whether this very process answers that it is ready. Another process on its port does not know its instance."""
        url = f"http://127.0.0.1:{self.health_port}/readyz"
        try:
            with urllib.request.urlopen(url, timeout=READY_ANSWER_SECONDS) as answer:
                body = json.load(answer)
        except urllib.error.HTTPError as refusal:
            refusal.close()  # it holds the connection
            return False
        except (OSError, ValueError):
            return False
        return bool(body.get("instance") == self.environment[identity.INSTANCE])

    def kill(self) -> None:
        """End it as a crash does. Until the next start it stays dead, and its port refuses connections."""
        with self._changing:
            self.should_run = False
            self._signal(signal.SIGKILL)
            if self._popen is not None:
                self._popen.wait()
            self.release()

    def end(self) -> None:
        """Send it SIGTERM, so that it drains and stops."""
        with self._changing:
            self.should_run = False
            self._signal(signal.SIGTERM)

    def leave(self, seconds: float) -> None:
        """Send it SIGUSR1, so that it leaves the gateway, drains and stops. Then its port refuses connections."""
        with self._changing:
            self.should_run = False
            self._signal(signal.SIGUSR1)
        self.wait(seconds)
        self.release()

    def replace(self, seconds: float) -> None:
        """Start a successor on the same socket. Once that is ready, this process takes no more connections, finishes what is
        under way, and ends within `seconds`. Raises NotReady."""
        with self._changing:
            old = self._popen
            self.environment[identity.INSTANCE] = uuid.uuid4().hex
            self._spawn({})
        self.wait_until(self.ready, time.monotonic() + READY_SECONDS)
        if old is not None and old.poll() is None:
            os.killpg(old.pid, signal.SIGUSR1)
            try:
                old.wait(seconds)
            except subprocess.TimeoutExpired:
                log.warning("role_killed", role=self.name, waited_seconds=seconds)
                os.killpg(old.pid, signal.SIGKILL)
                old.wait()

    def wait_until(self, is_ready: Callable[[], bool], deadline: float) -> None:
        """Wait until it is ready, while it should run. Raises NotReady with the tail of its log at `deadline` (monotonic)."""
        while self.should_run and not is_ready():
            if time.monotonic() > deadline:
                raise NotReady(f"{self.name} is not ready:\n{self.tail()}")
            time.sleep(POLL_SECONDS)

    def wait(self, seconds: float) -> None:
        """Wait for its end; after `seconds`, kill it."""
        if self._popen is None:
            return
        try:
            self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            log.warning("role_killed", role=self.name, waited_seconds=seconds)
            self.kill()

    def release(self) -> None:
        """Give the port up; the next start takes it again."""
        if self._listener is not None:
            self._listener.close()

    def tail(self, lines: int = 15) -> str:
        """The last lines of its log."""
        text = self.log_file.read_text(errors="replace") if self.log_file.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def _signal(self, number: signal.Signals) -> None:
        if self._popen is not None and self._popen.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._popen.pid, number)


class Stack:
    """All roles, `copies` of some. `environment` is added to this process's own.

    `pools`: by the name of a web process, the pools of the gateway to which it belongs. Without them, there is no gateway, and
    one web process serves everything. The gateway knows from the start where each copy will listen, so `scale` tells it nothing.
    """

    def __init__(
        self,
        directory: Path,
        *,
        environment: Mapping[str, str],
        web_port: int = 8000,
        copies: Mapping[str, int] | None = None,
        pools: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._listener = listen(web_port)
        self.web_port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.web_port}"
        bank_port = free_port()
        self.environment = {
            **os.environ,
            "GAVEL_VAR_DIR": str(directory),
            "MEDIA_ROOT": str(directory / "media"),
            "PUBLIC_URL": self.url,
            "BANK_URL": f"http://127.0.0.1:{bank_port}",
            "JWT_PRIVATE_KEY": settings.JWT_PRIVATE_KEY,
            "JWT_PUBLIC_KEY": settings.JWT_PUBLIC_KEY,  # else each process computes it for 70 ms
            "SECRET_KEY": settings.SECRET_KEY,
            "BANK_API_KEY": settings.BANK_API_KEY,
            "PYTHONUNBUFFERED": "1",
            **environment,
        }
        self.processes: dict[str, Process] = {}
        self._pools = dict(pools or {})
        self._ports = {
            name: [free_port() for _ in range(min(roles.MAX_COPIES[pool] for pool in of_process))]
            for name, of_process in self._pools.items()
        }
        self._scaling = threading.Lock()
        # A child ends with the thread that started it, and this one lives as long as the stack.
        self._starter = futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="starter")
        numbers = copies or {}
        for name in self._pools:
            for _ in range(numbers.get(name, 1)):
                self._add_behind(name)
        for role in roles.ROLES:
            if role.name != ("web" if pools else "gateway"):
                for _ in range(numbers.get(role.name, 1)):
                    self.add(role.name)
        self._watcher = threading.Thread(target=self._watch, name="stack", daemon=True)
        self._stopping = threading.Event()
        self._stopped = threading.Event()

    def add(self, role_name: str) -> Process:
        """Add one more copy of a role, not started yet. The second of `web` is `web-2`, and has a port of its own."""
        number = 1 + sum(name.partition("-")[0] == role_name for name in self.processes)
        name = _numbered(role_name, number)
        if role_name == "gateway":
            return self._add(name, role_name, listener=self._listener, environment=self._addresses())
        if role_name == "web":
            return self._add(name, role_name, listener=self._listener if number == 1 else listen())
        return self._add(name, role_name)

    def _start(self, process: Process) -> None:
        self._starter.submit(process.start).result()

    def _addresses(self) -> dict[str, str]:
        """The gateway's variables: where the copies of each pool listen, or will."""
        return {
            f"GATEWAY_{pool.upper()}_{number}": f"127.0.0.1:{port}"
            for name, of_process in self._pools.items()
            for pool in of_process
            for number, port in enumerate(self._ports[name], start=1)
        }

    def _add_behind(self, name: str) -> Process:
        """Add one more copy of a web process behind the gateway, not started yet. Raises NotReady for one too many."""
        for copy, port in zip(self._names(name), self._ports[name], strict=True):
            if copy not in self.processes:
                services = [service for pool in self._pools[name] for service in roles.POOLS[pool]]
                environment = {"SERVICES": ",".join(services), "TRUSTED_PROXY_COUNT": "1"}
                return self._add(copy, "web", port=port, environment=environment)
        raise NotReady(f"the gateway knows {len(self._ports[name])} copies of {name} at most")

    def copies(self, name: str) -> list[str]:
        """The names of the copies of a web process behind the gateway, the first one first."""
        return [copy for copy in self._names(name) if copy in self.processes]

    def _names(self, name: str) -> list[str]:
        """Those of all copies that a web process behind the gateway may have."""
        return [_numbered(name, number) for number in range(1, len(self._ports[name]) + 1)]

    def scale(self, name: str, copies: int) -> None:
        """Bring a web process behind the gateway to so many copies, and wait until they serve. Those that are too many leave the
        gateway, finish what is under way, and end. Raises KeyError, NotReady."""
        most = len(self._ports[name])
        if not 1 <= copies <= most:
            raise NotReady(f"{name} has 1 to {most} copies")
        with self._scaling:
            while len(self.copies(name)) < copies:
                self._start(self._add_behind(name))
            self.wait_ready()
            for copy in self.copies(name)[copies:]:
                self.processes[copy].leave(STOP_SECONDS)
                del self.processes[copy]

    def roll(self) -> Iterator[str]:
        """Restart every process, one after the other, so that no request fails; yields the name of each that serves again."""
        for name in self._pools:
            before = self.copies(name)
            if len(before) == 1:
                self.scale(name, 2)
            for copy in before:
                self._restart(self.processes[copy])
                yield copy
            self.scale(name, len(before))
        for name, process in list(self.processes.items()):
            if process.port == 0:
                self._restart(process)
                yield name
        self._starter.submit(self.processes["gateway"].replace, GATEWAY_SECONDS).result()
        yield "gateway"

    def _restart(self, process: Process) -> None:
        with self._scaling:
            if process.port:
                process.leave(STOP_SECONDS)
            else:
                process.end()
                process.wait(STOP_SECONDS)
            self._start(process)
            self.wait_ready()

    def _add(
        self,
        name: str,
        role_name: str,
        *,
        listener: socket.socket | None = None,
        port: int = 0,
        environment: Mapping[str, str] | None = None,
    ) -> Process:
        argv, health_port = roles.BY_NAME[role_name].argv(), free_port()
        if role_name == "beat":
            argv += ["-s", str(self.directory / "celerybeat-schedule")]
        whole = {
            **self.environment,
            **(environment or {}),
            "GAVEL_HEALTH_PORT": str(health_port),
            identity.INSTANCE: uuid.uuid4().hex,
            identity.COPY: name,
        }
        process = Process(name, argv, whole, self.directory / f"{name}.log", health_port, listener, port)
        self.processes[name] = process
        return process

    def __getitem__(self, name: str) -> Process:
        return self.processes[name]

    def start(self) -> None:
        """Start every role and wait until all are ready. Raises NotReady with the tail of the log."""
        self.start_unready()
        self.wait_ready()

    def start_unready(self) -> None:
        """Start every role. From now on, a role that dies by itself is started again."""
        for process in self.processes.values():
            process.start()
        self._watcher.start()

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait until all roles are ready, and the gateway gives requests to each web process. Raises NotReady with the tail of
        the log."""
        deadline = time.monotonic() + seconds
        for process in list(self.processes.values()):
            process.wait_until(functools.partial(self._serves, process), deadline)

    def _serves(self, process: Process) -> bool:
        """Whether it is ready and gets requests."""
        return process.ready() and self._is_routed(process)

    def _is_routed(self, process: Process) -> bool:
        """Whether the gateway, if there is one, has found a web process ready. It looks every second."""
        name, _, number = process.name.partition("-")
        if name not in self._pools or not self.processes["gateway"].should_run:
            return True
        url = f"http://127.0.0.1:{self.processes['gateway'].health_port}/;csv"
        try:
            with urllib.request.urlopen(url, timeout=READY_ANSWER_SECONDS) as answer:
                rows = [line.decode().split(",") for line in answer]
        except OSError:
            return False
        status = rows[0].index("status")
        up = {row[1] for row in rows if len(row) > status and row[status].startswith("UP")}
        return all(f"{pool}-{number or 1}" in up for pool in self._pools[name])

    def stop(self) -> None:
        """End every role; a role that does not drain in STOP_SECONDS is killed."""
        self._stopping.set()
        processes = list(self.processes.values())  # another thread may be scaling
        for process in processes:
            process.end()
        deadline = time.monotonic() + STOP_SECONDS
        for process in processes:
            process.wait(max(0.1, deadline - time.monotonic()))
            process.release()
        self._stopped.set()
        self._starter.shutdown()

    def pids(self) -> dict[str, int]:
        return {name: process.pid for name, process in self.processes.items()}

    def _watch(self) -> None:
        """The thread that restarts roles. It lives until all have stopped, because the operating system ends a child with the
        thread that started it."""
        while not self._stopped.wait(RESTART_SECONDS):
            for process in list(self.processes.values()):
                try:
                    if not self._stopping.is_set() and process.restart_if_dead():
                        log.warning("role_restarted", role=process.name, restarts=process.restarts)
                except (
                    OSError
                ) as error:  # the machine is full; this thread must live, or all roles end with it
                    log.warning("role_not_restarted", role=process.name, error=repr(error))


def _numbered(name: str, number: int) -> str:
    """The name of a copy: the first one has no number."""
    return name if number == 1 else f"{name}-{number}"


def _die_with_parent() -> None:
    """In the child, before exec: let the operating system end it when the parent's thread ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
