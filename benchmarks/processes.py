"""The servers under measurement: starts each as a process, waits until it answers, and reads its CPU time from the
kernel."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

from auction_project.kernel import ids
from auction_project.processes import stack

READY_SECONDS = 60.0
ROOT = Path(__file__).resolve().parents[1]
_BUDGETS = (
    "ANONYMOUS_REQUESTS_PER_SECOND",
    "USER_REQUESTS_PER_SECOND",
    "STREAMS_PER_SECOND",
    "AUCTIONS_PER_HOUR",
    "BIDS_PER_SECOND",
)
UNLIMITED = dict.fromkeys(_BUDGETS, "0")  # the load comes from one address and few users
_TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """A process that listens on `url`."""

    def __init__(self, pid: int, url: str) -> None:
        self.pid = pid
        self.url = url

    def cpu_seconds(self) -> float:
        """User and system time of the process so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


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
def whole(*, is_limited: bool = False) -> Iterator[stack.Stack]:
    """The running stack, with a bid log of its own, so that it does not wait until the bids of another scenario are
    relayed. `is_limited`: with the budgets that it has by default."""
    with tempfile.TemporaryDirectory() as directory:
        unlimited = {} if is_limited else UNLIMITED | {"STREAMS_PER_ADDRESS": "10000"}  # all clients have one
        environment = {
            **unlimited,
            "GAVEL_LOG_LEVEL": "WARNING",
            "MONGODB_DATABASE": f"bench_{ids.new_id()}",
        }
        migrate = [sys.executable, "manage.py", "migrate_all", "--verbosity", "0"]
        subprocess.run(migrate, cwd=ROOT, env={**os.environ, **environment}, check=True)
        running = stack.Stack(Path(directory), environment=environment, web_port=0)
        try:
            running.start()
            yield running
        finally:
            running.stop()
