"""How every role runs: named loops in threads, one stop, shared waiting, drain and health.

`run` waits for what the role needs, steps its loops until SIGTERM or SIGINT, lets each finish its step, closes it and what
the process owns, and returns 0. An outage makes a loop wait, for at most failure.MAX_PAUSE_SECONDS or its own
`longest_pause_seconds`. Any other error ends the process with code 1 after a log line, and its supervisor starts it again:
that is safe, because a process holds no state that another copy lacks.
"""

import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import ClassVar, Protocol

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import close_old_connections

from auction_project.kernel import logs, owned, tracing
from auction_project.kernel.messaging import failure
from auction_project.processes import health, needs, registry

IDLE_SECONDS = 0.05
MAX_IDLE_SECONDS = 0.25
DRAIN_SECONDS = 20.0

log = logs.get(__name__)


class Loop(Protocol):
    """One unit of repeated work.

    A loop that many others wait for may have `longest_pause_seconds`: for how long it may miss the end of an outage. A loop
    may have `halted`: a text that is not empty once it has stopped working and waits for an operator.
    """

    name: str

    def step(self) -> bool:
        """Do a bounded piece of work; whether there may be more at once."""

    def close(self) -> None:
        """Give back what the loop holds. Called once, in the loop's thread."""


class RoleCommand(BaseCommand):
    """The command of a role. It skips Django's system checks, which `make check` runs, so that a role that died is back
    sooner."""

    requires_system_checks: ClassVar[list[str]] = []


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set. Call it in the main thread.

    The handler sets it from another thread: it may have interrupted the main thread inside the event's own lock.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=stop.set, daemon=True).start())
    return stop


def run(
    role: str,
    required: Sequence[str],
    make_loops: Sequence[Callable[[], Loop]],
    stop: threading.Event,
    *,
    about: registry.About | None = None,
) -> int:
    """Run the loops until `stop`; the exit code. Each loop is made in its own thread, after its needs answer. `about` is for
    the registry."""
    state = health.State(role)
    server = health.serve_by_environment(state)
    tracing.start(role)
    log.info("role_starting", role=role, health=server.url)
    entry = registry.Registration(
        role,
        about or registry.About(),
        redis_url=settings.REDIS_URL,
        private_address=server.address,
        is_ready=state.serves,
    ).start()
    try:
        if not needs.wait(required, stop):
            return 0
        return _run_loops(role, make_loops, state, stop)
    finally:
        entry.close()
        owned.close_all()
        server.close()


def _run_loops(
    role: str, make_loops: Sequence[Callable[[], Loop]], state: health.State, stop: threading.Event
) -> int:
    failed = threading.Event()
    threads = [
        threading.Thread(target=_drive, args=(make, state, stop, failed), name=f"{role}-{i}", daemon=True)
        for i, make in enumerate(make_loops)
    ]
    for thread in threads:
        thread.start()
    state.ready = True
    log.info("role_ready", role=role)
    stop.wait()
    state.ready = False
    deadline = time.monotonic() + DRAIN_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    undrained = [thread.name for thread in threads if thread.is_alive()]
    log.info("role_stopped", role=role, failed=failed.is_set(), undrained=undrained)
    return 1 if failed.is_set() or undrained else 0


def _drive(
    make: Callable[[], Loop], state: health.State, stop: threading.Event, failed: threading.Event
) -> None:
    """The thread of one loop: step it until `stop`. A loop that waits for a service beats, too."""
    name = threading.current_thread().name
    loop: Loop | None = None
    outages, idle = 0, IDLE_SECONDS
    try:
        while not stop.is_set():
            state.beat(name)
            try:
                if loop is None:
                    loop = make()
                busy = loop.step()
                if getattr(loop, "halted", ""):
                    state.halted.add(loop.name)
            except Exception as error:
                close_old_connections()
                if failure.classify(error) is not failure.Fate.OUTAGE:
                    raise
                outages += 1
                longest = getattr(loop, "longest_pause_seconds", failure.MAX_PAUSE_SECONDS)
                pause = min(longest, failure.pause_seconds(outages))
                log.warning(
                    "waiting_for_service", loop=_name(loop, name), seconds=round(pause, 1), error=str(error)
                )
                stop.wait(pause)
                continue
            outages = 0
            idle = IDLE_SECONDS if busy else min(MAX_IDLE_SECONDS, idle * 1.5)
            if not busy:
                stop.wait(idle)
    except BaseException:
        log.exception("loop_failed", loop=_name(loop, name))
        failed.set()
        stop.set()
    finally:
        _close(loop, name, failed)


def _close(loop: Loop | None, name: str, failed: threading.Event) -> None:
    try:
        if loop is not None:
            loop.close()
    except Exception:
        log.exception("loop_not_closed", loop=_name(loop, name))
        failed.set()
    close_old_connections()


def _name(loop: Loop | None, thread: str) -> str:
    return thread if loop is None else loop.name
