"""The supervisor: starts the servers, runs COMMAND with their variables, watches both, applies commands of control,
ends everything.

One thread, one loop (`_pump`): the front's pipe, its own signals, control, dead children. It alone changes state.json.
`run` leaves no descendant behind, whether it ends well or fails.
"""

import contextlib
import os
import select
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from auction_project.tools.embedded import control, process
from auction_project.tools.embedded.child import START_PAUSE_S, Child, DidNotStart
from auction_project.tools.embedded.directory import Directory
from auction_project.tools.embedded.server import CannotPrepare, Server

TICK_S = 0.5  # the longest wait of the loop; every event that matters wakes it earlier
COMMAND_GRACE_S = 10.0  # for COMMAND to end by itself when the front was killed
DESCENDANTS_GRACE_S = 5.0  # for what COMMAND leaves behind
LEFTOVERS_TIMEOUT_S = 10.0

FROM_TERMINAL = 0x80  # bit of a byte in the pipe: the terminal has sent this signal to COMMAND, too
EXIT_FAILED = 70  # this program itself failed; COMMAND's exit codes pass unchanged


class _End(Exception):
    """Everything is to end; `code` is the exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def say(text: str) -> None:
    """Print for the user, on stderr: stdout is COMMAND's."""
    with contextlib.suppress(OSError):
        print(f"embedded: {text}", file=sys.stderr, flush=True)


class Supervisor:
    """Runs once. `pipe` is the reading end of the front's pipe, `group` the front's process group."""

    def __init__(
        self, directory: Directory, *, servers: Sequence[Server], command: list[str], pipe: int, group: int
    ) -> None:
        self._directory = directory
        self._children = [Child(server, pump=self._pump) for server in servers]
        self._command_line = command
        self._command: subprocess.Popen[bytes] | None = None
        self._command_deadline: float | None = None
        self._pipe: int | None = pipe
        self._group = group
        self._wakeup, self._wakeup_writer = socket.socketpair()
        self._listener = control.Listener()

    def run(self) -> int:
        """Do everything from the first start to the last stop; return the exit code."""
        self._take_signals()
        code = EXIT_FAILED
        try:
            self._end_leftovers()
            self._start_servers()
            self._start_command()
            code = self._watch()
        except _End as end:
            code = end.code
        except (CannotPrepare, DidNotStart, OSError) as error:
            say(str(error))
        finally:
            self._end_everything()
        return code

    # Start

    def _take_signals(self) -> None:
        """A signal only wakes the loop, which reads its number: SIGCHLD, or one that ends the run."""
        for end in (self._wakeup, self._wakeup_writer):
            end.setblocking(False)
        for signum in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, lambda *_: None)
        signal.set_wakeup_fd(self._wakeup_writer.fileno(), warn_on_full_buffer=False)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])  # the front has them blocked

    def _end_leftovers(self) -> None:
        """End processes of a run that was killed as a whole, e.g. paused servers. Pid and start time identify them, so
        that no other process is ended."""
        state = self._directory.read_state()
        entries = [*state.get("servers", {}).values(), state.get("command") or {}]
        for entry in entries:
            leftover = process.look_up(entry["pid"]) if entry.get("pid") else None
            if leftover is None or not leftover.alive or leftover.started != entry.get("started"):
                continue
            say(f"ending process {leftover.pid} ({leftover.program}), left by a run that was killed")
            if not process.wait_until_gone(process.kill_tree(leftover.pid), timeout_s=LEFTOVERS_TIMEOUT_S):
                raise CannotPrepare(f"Process {leftover.pid} of an earlier run does not end.")

    def _start_servers(self) -> None:
        earlier = self._directory.read_state().get("servers", {})
        for child in self._children:
            note = child.server.prepare()
            if note:
                say(note)
            self._pump(0)
        for child in self._children:
            taken = {other.port for other in self._children if other.port is not None}
            child.start_anywhere(preferred=earlier.get(child.server.name, {}).get("port"), taken=taken)
            self._write_state()
        if self._children:
            where = ", ".join(f"{child.server.label} on port {child.port}" for child in self._children)
            say(f"{where}; data in {self._directory.path}")

    def _start_command(self) -> None:
        environment = dict(os.environ)
        for child in self._children:
            assert child.port is not None
            for name, value in child.server.get_environment(child.port).items():
                environment[name] = os.environ.get(name) or value
        if self._children and not environment.get("GAVEL_SERVICE_CONTROL"):
            environment["GAVEL_SERVICE_CONTROL"] = shlex.join(
                [
                    sys.executable,
                    "-m",
                    "auction_project.tools.embedded",
                    "control",
                    "--data",
                    str(self._directory.path),
                ]
            )
        try:
            self._command = process.spawn(
                self._command_line, env=environment, group=self._group, death_signal=signal.SIGTERM
            )
        except OSError as error:
            say(f"cannot run {self._command_line[0]}: {error.strerror}")
            raise _End(127 if isinstance(error, FileNotFoundError) else 126) from None
        self._write_state()

    # Watch

    def _watch(self) -> int:
        assert self._command is not None
        while self._command.returncode is None:
            self._pump(TICK_S, obey=True)
            if self._command_deadline is not None and time.monotonic() > self._command_deadline:
                process.kill_tree(self._command.pid)
            self._attend()
        return _get_exit_code(self._command)

    def _attend(self) -> None:
        """Restart the servers that died by themselves."""
        for child in self._children:
            if not child.has_died():
                continue
            assert child.popen is not None
            say(
                f"{child.server.label} ended by itself ({_describe_exit(child.popen.returncode)}); starting it again on port {child.port}"
            )
            try:
                restarted = child.restart(orphans=self._list_orphans(child))
            except DidNotStart as error:
                child.state = "running"  # so that the next round counts this as another death
                say(str(error))
                self._pump(START_PAUSE_S)
                continue
            if not restarted:
                say(
                    f"{child.server.label} keeps ending; giving up. The end of its log:\n{self._directory.read_log_tail(child.server.name)}"
                )
                raise _End(EXIT_FAILED)
            say(f"{child.server.label} answers again")
            self._write_state()

    def _list_orphans(self, child: Child) -> list[int]:
        """What a dead server leaves: its children became children of this process, which has only servers and COMMAND
        of its own."""
        own = {other.pid for other in self._children} | {self._command.pid if self._command else None}
        table = process.processes().values()
        return [
            orphan.pid
            for orphan in table
            if orphan.parent == os.getpid()
            and orphan.program == child.server.program
            and orphan.pid not in own
        ]

    def _pump(self, timeout_s: float, *, obey: bool = False) -> None:
        """Wait for the next event, at most `timeout_s`, and handle it. Commands of control are applied only with
        `obey`, which `_watch` sets. All other callers wait for a server, and that is in vain once COMMAND has ended, or
        when a signal comes before COMMAND has begun: then this raises _End."""
        readers: list[Any] = [self._wakeup]
        if self._pipe is not None:
            readers.append(self._pipe)
        if obey:
            readers.append(self._listener)
        ready, _, _ = select.select(readers, [], [], timeout_s)
        if self._wakeup in ready:
            for number in self._wakeup.recv(1024):
                if number != signal.SIGCHLD:
                    self._stop_because_of(number)
        self._reap()
        if not obey and self._command is not None and self._command.returncode is not None:
            raise _End(_get_exit_code(self._command))
        if self._pipe is not None and self._pipe in ready:
            self._read_front(self._pipe)
        if self._listener in ready:
            self._listener.serve_one(self._apply)

    def _read_front(self, pipe: int) -> None:
        signals = os.read(pipe, 1024)
        if not signals:
            self._pipe = None
            say("the front was killed; ending everything")
            self._command_deadline = time.monotonic() + COMMAND_GRACE_S
            self._stop_because_of(signal.SIGTERM)
        for byte in signals:
            self._stop_because_of(byte & ~FROM_TERMINAL, has_command_got_it=bool(byte & FROM_TERMINAL))

    def _stop_because_of(self, number: int, *, has_command_got_it: bool = False) -> None:
        """Pass a signal on to COMMAND, which decides what it means. Before COMMAND has begun, end everything."""
        if self._command is None:
            raise _End(128 + number)
        if not has_command_got_it and self._command.returncode is None:
            process.send([self._command.pid], signal.Signals(number))

    def _reap(self) -> None:
        """Collect the dead: those that this process started by their Popen, adopted ones directly."""
        own = {child.popen.pid: child.popen for child in self._children if child.popen is not None}
        if self._command is not None:
            own[self._command.pid] = self._command
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            if ended.si_pid in own:
                own[ended.si_pid].poll()
            else:
                os.waitpid(ended.si_pid, 0)

    # Control

    def _apply(self, action: str, name: str) -> str:
        child = next(
            (child for child in self._children if name in (child.server.control_name, child.server.name)),
            None,
        )
        if child is None:
            names = ", ".join(child.server.control_name for child in self._children)
            raise control.Refused(f"No server {name} here (there are: {names}).")
        allowed = {
            "kill": ("running", "paused"),
            "pause": ("running",),
            "resume": ("paused",),
            "start": ("killed", "stopped"),
        }
        if child.state not in allowed.get(action, ()):
            raise control.Refused(f"Cannot {action} {name}: it is {child.state}.")
        try:
            getattr(child, action)()
        except DidNotStart as error:
            child.state = "killed"
            raise control.Refused(str(error)) from error
        finally:
            self._write_state()
        return f"{name} is {child.state}"

    # End

    def _end_everything(self) -> None:
        """End COMMAND and its descendants first, then all servers together, so that no process remains."""
        self._pipe = None
        servers = [child.pid for child in self._children if child.pid is not None]
        self._end_descendants(keep=servers)
        for child in self._children:
            child.begin_stop()
        for child in self._children:
            if not child.finish_stop():
                say(f"{child.server.label} did not stop in time and was killed")
        self._end_descendants(keep=[])
        self._write_state(running=False)
        self._listener.close()

    def _end_descendants(self, *, keep: list[int]) -> None:
        rest = self._list_rest(keep)
        process.send(rest, signal.SIGTERM)
        process.send(rest, signal.SIGCONT)
        process.wait_until_gone(rest, timeout_s=DESCENDANTS_GRACE_S, reap=self._reap)
        while rest := self._list_rest(keep):
            process.send(rest, signal.SIGKILL)
            process.wait_until_gone(rest, timeout_s=DESCENDANTS_GRACE_S, reap=self._reap)

    def _list_rest(self, keep: list[int]) -> list[int]:
        kept = {*keep, *(descendant.pid for pid in keep for descendant in process.list_descendants(pid))}
        return [
            descendant.pid
            for descendant in process.list_descendants(os.getpid())
            if descendant.pid not in kept
        ]

    def _write_state(self, *, running: bool = True) -> None:
        command = (
            process.look_up(self._command.pid)
            if self._command is not None and self._command.returncode is None
            else None
        )
        self._directory.write_state(
            {
                "running": running,
                "supervisor": os.getpid() if running else None,
                "servers": {child.server.name: child.describe() for child in self._children},
                "command": {"pid": command.pid, "started": command.started} if command else None,
                "control": self._listener.describe() if running else None,
            }
        )


def _get_exit_code(command: subprocess.Popen[bytes]) -> int:
    """As a shell reports it."""
    return command.returncode if command.returncode >= 0 else 128 - command.returncode


def _describe_exit(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
