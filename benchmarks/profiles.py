"""Profiles of the processes under measurement, by py-spy, which reads their stacks from outside 200 times a second.

A sample counts the threads that run or wait for a core, in Python or in a system call, with or without the GIL; a thread that
waits for anything else does not count. Only processes that this benchmark started are read, by their ids. A process goes on
while it is read, because a pause would wake the threads that wait, and count them. A stack that changed meanwhile is dropped.
The profiler takes its share of the cores, so figures of a profiled run are not to be compared.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from auction_project.processes import stack
from benchmarks import flame

PROGRAM = str(Path(sys.executable).with_name("py-spy"))
# The variable that names where stacks are written. Without it nothing is recorded.
DIRECTORY = "GAVEL_BENCH_PROFILES"
FOLDER = "profiles"  # of the graphs, beside the figures
SAMPLES_PER_SECOND = 200
MEASURE = "measure"  # the name of the process that measures, where that does the work itself
ATTACH_SECONDS, WRITE_SECONDS, LOOK_SECONDS = 20.0, 60.0, 0.2


def doubt(program: str = PROGRAM) -> str:
    """Why no process can be recorded here: "" if one can. Tries it with a process made for this."""
    with subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        try:
            child.stdout.readline()  # it runs
            tried = subprocess.run(
                [program, "dump", "--pid", str(child.pid)],
                capture_output=True,
                check=False,
                timeout=ATTACH_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"py-spy does not run here: {error}"
        finally:
            child.kill()
    if tried.returncode == 0:
        return ""
    return "py-spy may not read other processes here: run as root, or with the capability SYS_PTRACE"


def are_recorded() -> bool:
    """Whether the environment asks for it."""
    return DIRECTORY in os.environ


class Recorder:
    """Records processes until each ends or `stop`, into files NAME.PID.raw. Best effort: a failure is said, and hinders no load."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._seen: set[int] = set()
        self._running: dict[int, subprocess.Popen[bytes]] = {}

    def knows(self, pid: int) -> bool:
        return pid in self._seen

    def record(self, name: str, pid: int) -> None:
        """Begin, if it is a Python process."""
        self._seen.add(pid)
        if not _is_python(pid):
            return
        file = self._directory / f"{name}.{pid}.raw"
        with file.with_suffix(".log").open("wb") as output:
            self._running[pid] = subprocess.Popen(
                [PROGRAM, "record", "--pid", str(pid), "--rate", str(SAMPLES_PER_SECOND), "--nonblocking",
                 "--format", "raw", "--nolineno", "--output", str(file)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip

    def stop(self) -> None:
        """End all, and wait until what they saw is written."""
        for process in self._running.values():
            process.send_signal(signal.SIGINT)
        for pid, process in self._running.items():
            try:
                process.wait(WRITE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                print(f"the profile of process {pid} was not written in time", file=sys.stderr)


def _is_python(pid: int) -> bool:
    """Not the gateway, for one, which is HAProxy."""
    try:
        return Path(f"/proc/{pid}/exe").readlink().name.startswith("python")
    except OSError:
        return False


@contextlib.contextmanager
def of_house(running: stack.Stack) -> Iterator[None]:
    """Record the roles of a house for the time of the block, also those that start in it, if the environment asks for it."""
    if not are_recorded():
        yield
        return
    recorder, ended = Recorder(Path(os.environ[DIRECTORY])), threading.Event()

    def look() -> None:
        while not ended.is_set():
            for process in list(running.processes.values()):
                if process.alive and not recorder.knows(process.pid) and process.ready():
                    recorder.record(process.name, process.pid)
            ended.wait(LOOK_SECONDS)

    watcher = threading.Thread(target=look, name="profiles", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
        recorder.stop()


@contextlib.contextmanager
def of_this_process() -> Iterator[None]:
    """Record this process for the time of the block, if the environment asks for it."""
    if not are_recorded():
        yield
        return
    recorder = Recorder(Path(os.environ[DIRECTORY]))
    recorder.record(MEASURE, os.getpid())
    try:
        yield
    finally:
        recorder.stop()


def fold(stacks: Path) -> dict[str, flame.Frame]:
    """The stacks in a directory by role, the role that ran most first. Copies of a role are one: `web-2` is `web`."""
    lines: dict[str, list[str]] = {}
    for file in sorted(stacks.glob("*.raw")):
        lines.setdefault(re.split(r"-\d|\.", file.name)[0], []).extend(file.read_text().splitlines())
    roles = {role: flame.fold(of_role) for role, of_role in lines.items()}
    return dict(sorted(roles.items(), key=lambda each: -each[1].samples))


def draw(scenario: str, roles: Mapping[str, flame.Frame], graphs: Path) -> None:
    """Replace the graphs of a scenario by those of these roles."""
    graphs.mkdir(parents=True, exist_ok=True)
    for old in of_scenario(scenario, graphs):
        old.unlink()
    for role, root in roles.items():
        drawn = flame.draw(root, title=f"What the CPU did: {scenario}, {role}")
        (graphs / f"{scenario}-{role}.svg").write_text(drawn)


def of_scenario(scenario: str, graphs: Path) -> list[Path]:
    """The graphs that a scenario has."""
    return sorted(graphs.glob(f"{scenario}-*.svg"))
