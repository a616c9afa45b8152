"""The processes under measurement: one server, or the whole house; their CPU time from the kernel; the check after a load."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from auction_project.processes import stack
from benchmarks import profiles
from benchmarks.figures import Figure
from bidding import runtime
from bidding.store import mongo

READY_SECONDS = 60.0
SETTLE_SECONDS = 300.0  # a load may leave a backlog of minutes
ROOT = Path(__file__).resolve().parents[1]
_BUDGETS = (
    "ANONYMOUS_REQUESTS_PER_SECOND",
    "USER_REQUESTS_PER_SECOND",
    "STREAMS_PER_SECOND",
    "AUCTIONS_PER_HOUR",
    "BIDS_PER_SECOND",
)
UNLIMITED = dict.fromkeys(_BUDGETS, "0")  # the load comes from one address and few users
_MANY_STREAMS = {"STREAMS_PER_ADDRESS": "20000"}  # all clients have one address
_TICKS = os.sysconf("SC_CLK_TCK")
_NO_VERDICT = (2, 3)  # exit codes of `verify`: a store gave no answer in time; something is under way
_STORES = ("postgres", "valkey", "mongodb")  # the embedded servers, by a word of their command lines


class Server:
    """A process that listens on `url`."""

    def __init__(self, pid: int, url: str) -> None:
        self.pid = pid
        self.url = url

    def cpu_seconds(self) -> float:
        """User and system time of the process so far."""
        return _cpu_ticks(self.pid, ended_children=False) / _TICKS

    def memory_pages(self) -> int:
        """What is resident."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])


class House:
    """The running stack: its processes, what they cost, and whether all invariants hold."""

    def __init__(self, running: stack.Stack) -> None:
        self._running = running
        self.url = running.url
        self._stores = _embedded_stores()

    @property
    def web(self) -> Server:
        """The web process itself, not by way of a gateway."""
        return self._server("web")

    @property
    def gateway(self) -> Server:
        return self._server("gateway")

    def _server(self, name: str) -> Server:
        process = self._running[name]
        return Server(process.pid, f"http://127.0.0.1:{process.port}")

    def cpu_seconds(self) -> dict[str, float]:
        """User and system time of each role so far, and of each embedded server with its children."""
        roles = {name: self._tree_seconds(pid) for name, pid in self._running.pids().items()}
        return roles | {name: self._tree_seconds(pid) for name, pid in self._stores.items()}

    @staticmethod
    def _tree_seconds(root: int) -> float:
        ticks = _cpu_ticks(root, ended_children=True)
        for pid in _tree(root)[1:]:
            # One that has ended since is counted by its parent, from the next reading on.
            with contextlib.suppress(OSError):
                ticks += _cpu_ticks(pid, ended_children=True)
        return ticks / _TICKS

    @contextlib.contextmanager
    def gateway_with(self, *arguments: str) -> Iterator[None]:
        """Run the gateway with these arguments of `manage.py gateway` for the time of the block."""
        gateway = self._running["gateway"]
        usual = gateway.argv
        try:
            self._restart(gateway, [*usual, *arguments])
            yield
        finally:
            self._restart(gateway, usual)

    def _restart(self, process: stack.Process, argv: list[str]) -> None:
        process.end()
        process.wait(stack.STOP_SECONDS)
        process.argv = argv
        process.start()
        self._running.wait_ready()

    def scale(self, name: str, copies: int) -> None:
        """Bring a web process behind the gateway to so many copies."""
        self._running.scale(name, copies)

    def counted(self, name: str, counters: Sequence[str]) -> dict[str, float]:
        """What the copies of a web process behind the gateway have counted so far, in all, by these series without labels."""
        sums = dict.fromkeys(counters, 0.0)
        for copy in self._running.copies(name):
            url = f"http://127.0.0.1:{self._running[copy].health_port}/metrics"
            with urllib.request.urlopen(url, timeout=READY_SECONDS) as answer:
                lines = answer.read().decode().splitlines()
            for series, _, value in (line.partition(" ") for line in lines):
                if series in sums:
                    sums[series] += float(value)
        return sums

    @contextlib.contextmanager
    def only(self, *names: str) -> Iterator[None]:
        """End all roles but these for the time of the block."""
        with self.without(*(name for name in self._running.processes if name not in names)):
            yield

    @contextlib.contextmanager
    def without(self, *names: str) -> Iterator[None]:
        """End these roles for the time of the block."""
        ended = [self._running[name] for name in names]
        for process in ended:
            process.end()
        for process in ended:
            process.wait(stack.STOP_SECONDS)
        try:
            yield
        finally:
            for process in ended:
                process.start()
            self._running.wait_ready()

    def verified(self, figures: Sequence[Figure], *, answers: Path | None = None) -> list[Figure]:
        """The figures of a load that has ended; they do not count if `doubt` says why."""
        if profiles.are_recorded():
            return list(figures)  # they are not kept, and the graphs are to show the load alone
        doubt = self.doubt(answers=answers)
        return [msgspec.structs.replace(figure, doubt=doubt) for figure in figures]

    def doubt(self, *, answers: Path | None = None) -> str:
        """Wait until nothing is under way, and check every invariant: "" if all hold, also for the `answers` of the load."""
        command = [sys.executable, "manage.py", "verify", "--settled"]
        command += ["--answers", str(answers)] if answers else []
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            check = subprocess.run(
                command, cwd=ROOT, env=self._running.environment, capture_output=True, text=True, check=False
            )
            if check.returncode not in _NO_VERDICT or time.monotonic() > deadline:
                break
        if check.returncode == 0:
            return ""
        print(check.stdout + check.stderr, file=sys.stderr)
        return f"verify --settled ended with {check.returncode}"


class Costs:
    """CPU of a house during a block, by process, in seconds: `with Costs(house) as costs: ...`, then `costs.by_process`."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.by_process: dict[str, float] = {}

    def __enter__(self) -> "Costs":
        self._before, self._began = self._house.cpu_seconds(), time.monotonic()
        return self

    def __exit__(self, *_error: object) -> None:
        self.seconds = time.monotonic() - self._began
        after = self._house.cpu_seconds()
        self.by_process = {name: after[name] - before for name, before in self._before.items()}

    def each(self, name: str, count: int) -> Figure:
        """The CPU of all processes for each of `count`, in milliseconds."""
        parts = {process: 1000 * seconds / count for process, seconds in self.by_process.items()}
        return Figure(name=name, value=sum(parts.values()), unit="ms", parts=parts)


def _cpu_ticks(pid: int, *, ended_children: bool) -> int:
    fields = _stat(pid)
    return sum(map(int, fields[11 : 15 if ended_children else 13]))


def _stat(pid: int) -> list[str]:
    """What follows the name in the kernel's line about the process: the parent is the second field."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _tree(root: int) -> list[int]:
    """The process and its descendants, without those that end meanwhile."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                children.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
    tree = [root]
    for pid in tree:
        tree += children.get(pid, [])
    return tree


def _embedded_stores() -> dict[str, int]:
    """The embedded servers by name: children of the ancestor that runs them. None on other servers."""
    pid = os.getpid()
    while pid > 1:
        stores = {}
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            command = Path(f"/proc/{child}/cmdline").read_text()
            name = next((name for name in _STORES if name in command.lower()), None)
            if name and "benchmarks" not in command:
                stores[name] = int(child)
        if len(stores) == len(_STORES):
            return stores
        pid = int(_stat(pid)[1])
    return {}


@contextlib.contextmanager
def serving(*arguments: str, path: str, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run `python ARGUMENTS --port PORT` for the time of the block, which begins once `path` answers."""
    port = stack.free_port()
    process = subprocess.Popen(
        [sys.executable, *arguments, "--port", str(port)],
        cwd=ROOT,
        env={**os.environ, **UNLIMITED, "GAVEL_LOG_LEVEL": "WARNING", **(environment or {})},
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(f"{url}{path}", process)
        yield Server(process.pid, url)
    finally:
        process.terminate()
        process.wait(20)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except urllib.error.HTTPError:
            return  # it answers
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"nothing answers at {url}")


@contextlib.contextmanager
def whole(
    *,
    is_limited: bool = False,
    environment: Mapping[str, str] | None = None,
    pools: Mapping[str, Sequence[str]] | None = None,
    copies: Mapping[str, int] | None = None,
) -> Iterator[House]:
    """The running stack. `is_limited`: with the budgets that it has by default. `pools`: those behind a gateway. `copies`: how
    many of a process, where not one."""
    runtime.call(runtime.current().store.prepare(), seconds=mongo.INDEX_SECONDS)
    with tempfile.TemporaryDirectory() as directory:
        budgets = {} if is_limited else UNLIMITED | _MANY_STREAMS
        running = stack.Stack(
            Path(directory),
            environment={**budgets, "GAVEL_LOG_LEVEL": "WARNING", **(environment or {})},
            web_port=0,
            pools=pools,
            copies=copies,
        )
        try:
            running.start()
            with profiles.of_house(running):
                yield House(running)
        finally:
            running.stop()
