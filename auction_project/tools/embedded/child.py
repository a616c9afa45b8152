"""One server as the supervisor holds it: its port, its processes, its state, and how often it was restarted."""

import collections
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

from auction_project.tools.embedded import directory, process
from auction_project.tools.embedded.server import Server

START_TIMEOUT_S = 60.0
KILL_TIMEOUT_S = 10.0
POLL_S = 0.05
RESTARTS_MAX = 5  # within RESTART_WINDOW_S
RESTART_WINDOW_S = 60.0
STARTS_MAX = (
    3  # at first: another program may take the port at the last moment, or an earlier run may still be ending
)
START_PAUSE_S = 1.0
LEFTOVERS_TIMEOUT_S = 10.0


class DidNotStart(Exception):
    """The server ended at once, or did not answer in time. The message holds the end of its log."""


class Child:
    """A server and its processes. `pause`, `resume` and `kill` act on the whole tree at one moment."""

    def __init__(self, server: Server, *, pump: Callable[[float], None]) -> None:
        self.server = server
        self.port: int | None = None
        self.state = "stopped"  # stopped, starting, running, paused, killed (by control)
        self.popen: subprocess.Popen[bytes] | None = None
        self._pump = pump  # waits so many seconds, and raises when everything is to end
        self._restarts: collections.deque[float] = collections.deque(maxlen=RESTARTS_MAX)

    @property
    def pid(self) -> int | None:
        return self.popen.pid if self.popen is not None and self.popen.returncode is None else None

    def describe(self) -> dict[str, Any]:
        own = process.look_up(self.pid) if self.pid is not None else None
        return {
            "label": self.server.label,
            "state": self.state,
            "port": self.port,
            "pid": self.pid,
            "started": own.started if own else None,
        }

    def start_anywhere(self, *, preferred: int | None, taken: set[int]) -> None:
        """The first start: on the preferred port if it is free, else on any. Raises DidNotStart."""
        refused: set[int] = set()
        for attempt in range(1, STARTS_MAX + 1):
            self.port = directory.choose_port(preferred=preferred, taken=taken | refused)
            try:
                self.start()
                return
            except DidNotStart:
                if attempt == STARTS_MAX:
                    raise
                if not directory.is_free(self.port):
                    refused.add(self.port)
                self._pump(START_PAUSE_S)

    def start(self) -> None:
        """Start on the known port and wait until it answers. Raises DidNotStart."""
        assert self.port is not None
        self.state = "starting"
        self.popen = self.server.spawn(self.port)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if self.popen.poll() is not None:
                self.state = "stopped"
                raise self._did_not_start(f"ended with {self.popen.returncode} while starting")
            if time.monotonic() > deadline:
                process.kill_tree(self.popen.pid)
                self.popen.wait()
                self.state = "stopped"
                raise self._did_not_start(
                    f"did not answer on 127.0.0.1:{self.port} within {START_TIMEOUT_S:.0f} s"
                )
            self._pump(POLL_S)
        self.state = "running"

    def has_died(self) -> bool:
        """Whether it ended without a command to end."""
        return (
            self.state in ("running", "paused") and self.popen is not None and self.popen.poll() is not None
        )

    def restart(self, *, orphans: list[int]) -> bool:
        """Start again after the server died. First end its orphans, because they hold its files and its port. False
        after too many restarts."""
        now = time.monotonic()
        if len(self._restarts) == RESTARTS_MAX and now - self._restarts[0] < RESTART_WINDOW_S:
            return False
        self._restarts.append(now)
        process.send(orphans, signal.SIGKILL)
        process.wait_until_gone(orphans, timeout_s=LEFTOVERS_TIMEOUT_S, reap=lambda: self._pump(0))
        self.start()
        return True

    def pause(self) -> None:
        assert self.pid is not None
        process.freeze_tree(self.pid)
        self.state = "paused"

    def resume(self) -> None:
        assert self.pid is not None
        process.thaw_tree(self.pid)
        self.state = "running"

    def kill(self) -> None:
        """SIGKILL all of it, and wait until all are gone."""
        assert self.popen is not None
        self.state = "killed"
        pids = process.kill_tree(self.popen.pid)
        self.popen.wait(KILL_TIMEOUT_S)
        process.wait_until_gone(pids, timeout_s=KILL_TIMEOUT_S, reap=lambda: self._pump(0))

    def begin_stop(self) -> None:
        """Signal the server to end in good order; a paused one is resumed first."""
        if self.pid is not None:
            process.thaw_tree(self.pid)
            process.send([self.pid], self.server.stop_signal)

    def finish_stop(self) -> bool:
        """Wait until it has ended; False when it had to be killed."""
        if self.popen is None or self.popen.returncode is not None:
            self.state = "stopped"
            return True
        try:
            self.popen.wait(self.server.stop_timeout_s)
        except subprocess.TimeoutExpired:
            process.wait_until_gone(
                process.kill_tree(self.popen.pid), timeout_s=KILL_TIMEOUT_S, reap=lambda: None
            )
            self.popen.wait(KILL_TIMEOUT_S)
            return False
        finally:
            self.state = "stopped"
        return True

    def _answers(self) -> bool:
        assert self.port is not None
        try:
            return self.server.answers(self.port)
        except OSError:
            return False

    def _did_not_start(self, what: str) -> DidNotStart:
        log = self.server.directory
        return DidNotStart(
            f"{self.server.label} {what}. The end of {log.get_log_path(self.server.name)}:\n{log.read_log_tail(self.server.name)}"
        )
