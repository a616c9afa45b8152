"""What the supervisor needs to know of a server. The three servers are subclasses, one file each."""

import signal
import subprocess
from pathlib import Path

from auction_project.tools.embedded.directory import Directory


class CannotPrepare(Exception):
    """A server's files could not be made ready."""


class Server:
    """One server: how to start it, how to see that it answers, and which variables name it."""

    name: str  # as in --only, the state file and the log
    control_name: str  # as in `control`
    label: str  # for people
    program: str  # as the process table calls it
    variables: tuple[str, ...]
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL  # sent by the kernel when the supervisor is gone
    stop_timeout_s: float = 10.0

    def __init__(self, directory: Directory) -> None:
        self.directory = directory

    @property
    def home(self) -> Path:
        return self.directory.path / self.name

    def prepare(self) -> str | None:
        """Make the files ready, once per run; return a note for the user, if there is one. Raises CannotPrepare."""
        self.home.mkdir(mode=0o700, exist_ok=True)
        return None

    def spawn(self, port: int) -> subprocess.Popen[bytes]:
        """Start the server on that port, as a child."""
        raise NotImplementedError

    def answers(self, port: int) -> bool:
        """Whether the server really answers a client now; an OSError counts as no."""
        raise NotImplementedError

    def get_environment(self, port: int) -> dict[str, str]:
        """The value of each of `variables`."""
        raise NotImplementedError
