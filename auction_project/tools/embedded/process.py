"""Processes of Linux: start a child that dies with its parent, find a process's descendants, stop, freeze and kill whole trees.

Knows nothing of servers. Everything here is read from /proc, so no process needs to cooperate.
"""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
FREEZE_ROUNDS_MAX = 50  # a tree that forks faster than this is not ours
POLL_S = 0.02

_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Account:
    """The account that a child runs as."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Process:
    """One line of the process table. `started` (clock ticks since boot) tells a process from a later one with the same pid."""

    pid: int
    parent: int
    program: str
    state: str
    started: int

    @property
    def alive(self) -> bool:
        """False for a zombie, which no longer holds anything."""
        return self.state not in "ZX"


def become_subreaper() -> None:
    """Orphaned descendants become children of this process instead of init's."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def spawn(
    argv: list[str],
    *,
    cwd: Path | None = None,
    output: IO[bytes] | None = None,
    stdin: IO[bytes] | int | None = None,
    env: dict[str, str] | None = None,
    account: Account | None = None,
    group: int | None = None,
    death_signal: signal.Signals,
) -> subprocess.Popen[bytes]:
    """Start a child that gets `death_signal` when this process ends in any way.

    Without `group` the child gets a session of its own, out of reach of the terminal. Call it from the main thread only: the kernel
    sends the signal when the starting thread ends. The kernel forgets the signal when a process changes its user, so it is set
    after that (Popen runs preexec_fn last), and then the parent is looked at again, since it may have died before.
    """
    return subprocess.Popen(
        argv,
        cwd=cwd,
        env=env,
        stdin=stdin,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        preexec_fn=_die_with_parent(death_signal),
        start_new_session=group is None,
        process_group=group,
        **run_as(account),
    )


def run_as(account: Account | None) -> dict[str, Any]:
    """The Popen arguments that change the user."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def processes() -> dict[int, Process]:
    """The process table, by pid."""
    table = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (process := look_up(int(entry))) is not None:
            table[process.pid] = process
    return table


def look_up(pid: int) -> Process | None:
    """One process, or None when there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    head, _, tail = text.rpartition(")")
    fields = tail.split()
    return Process(
        pid=pid,
        parent=int(fields[1]),
        program=head.partition("(")[2],
        state=fields[0],
        started=int(fields[19]),
    )


def list_descendants(root: int) -> list[Process]:
    """All living descendants of `root`, parents before children, without `root` itself."""
    table = processes()
    children: dict[int, list[Process]] = {}
    for process in table.values():
        children.setdefault(process.parent, []).append(process)
    descendants: list[Process] = []
    waiting = [root]
    while waiting:
        for child in children.get(waiting.pop(), []):
            descendants.append(child)
            waiting.append(child.pid)
    return [process for process in descendants if process.alive]


def send(pids: Iterable[int], signum: signal.Signals) -> None:
    """Signal each; those that have ended are skipped."""
    for pid in pids:
        try:
            os.kill(pid, signum)
        except ProcessLookupError:
            continue


def freeze_tree(root: int) -> list[int]:
    """SIGSTOP `root` and all its descendants, until none is left that could fork; return their pids."""
    frozen: list[int] = [root]
    send(frozen, signal.SIGSTOP)
    for _ in range(FREEZE_ROUNDS_MAX):
        fresh = [process.pid for process in list_descendants(root) if process.pid not in frozen]
        if not fresh:
            break
        send(fresh, signal.SIGSTOP)
        frozen += fresh
    return frozen


def thaw_tree(root: int) -> None:
    """SIGCONT all, children first, so that a parent finds them running."""
    send([process.pid for process in reversed(list_descendants(root))], signal.SIGCONT)
    send([root], signal.SIGCONT)


def kill_tree(root: int) -> list[int]:
    """SIGKILL `root` and all its descendants at one moment: frozen first, so that none can react to another's death."""
    pids = freeze_tree(root)
    send(pids, signal.SIGKILL)
    return pids


def wait_until_gone(
    pids: Iterable[int], *, timeout_s: float, reap: Callable[[], None] = lambda: None
) -> bool:
    """Wait until all have ended; a zombie has. False when the time is up."""
    deadline = time.monotonic() + timeout_s
    waiting = list(pids)
    while True:
        reap()
        waiting = [pid for pid in waiting if (process := look_up(pid)) is not None and process.alive]
        if not waiting:
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)


def _die_with_parent(signum: signal.Signals) -> Callable[[], None]:
    parent = os.getpid()

    def in_child() -> None:
        _prctl(PR_SET_PDEATHSIG, signum)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        if os.getppid() != parent:
            os._exit(1)

    return in_child


def _prctl(option: int, value: int) -> None:
    if _LIBC.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl refused")
