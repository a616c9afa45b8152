"""The data directory, which one run at a time uses: its passwords, ports, logs and state.json.

lock           held (flock) by the run that uses the directory; the kernel releases it when the run dies in any way
secrets.json   passwords, made once, 0600
state.json     what runs now, 0600: ports, process ids, and how to reach the supervisor
log/           one file a server
postgres/ valkey/ mongodb/
"""

import contextlib
import fcntl
import json
import os
import random
import secrets
import socket
import time
from collections.abc import Collection
from pathlib import Path
from typing import IO, Any

LOG_BYTES_MAX = 10 * 1024 * 1024  # a larger log is set aside at the next start, and the one before is dropped
LOG_TAIL_LINES = 15
PORT_MIN = 15_000
PORT_ATTEMPTS = 200
PASSWORD_BYTES = 24
BUSY_TIMEOUT_S = 0.5  # another process may be reading the status
DYING_TIMEOUT_S = 60.0  # a run without its front is ending everything
POLL_S = 0.05


class InUse(Exception):
    """Another run uses this data directory."""


class Directory:
    """A data directory. Made with mode 0700 when it does not exist."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: IO[str] | None = None

    # Use

    def acquire(self) -> None:
        """Take the directory for this process and those that it forks. Raises InUse.

        If the front of another run was killed, this waits until all processes of that run have ended.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (self.path / "lock").open("a+", encoding="utf-8")
        began = time.monotonic()
        while not _try_lock(lock):
            lock.seek(0)
            holder = lock.read().strip()
            dying = holder.isdigit() and not Path(f"/proc/{holder}").exists()
            if time.monotonic() - began > (DYING_TIMEOUT_S if dying else BUSY_TIMEOUT_S):
                lock.close()
                raise InUse(
                    f"Another run (process {holder or 'unknown'}) uses {self.path}. End it first, or name another directory with --data."
                )
            time.sleep(POLL_S)
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self._lock = lock

    def is_held(self) -> bool:
        """Whether a run uses the directory now."""
        try:
            with (self.path / "lock").open("r+", encoding="utf-8") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    # State

    def read_state(self) -> dict[str, Any]:
        """The content of state.json, or {} when it cannot be read."""
        try:
            return dict(json.loads((self.path / "state.json").read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return {}

    def write_state(self, state: dict[str, Any]) -> None:
        self._write_privately("state.json", state)

    # Secrets

    def get_password(self, name: str) -> str:
        """The password of that name, made at the first call and the same ever after."""
        passwords = self._read_secrets()
        if name not in passwords:
            passwords[name] = secrets.token_urlsafe(PASSWORD_BYTES)
            self._write_privately("secrets.json", passwords)
        return passwords[name]

    def knows_password(self, name: str) -> bool:
        return name in self._read_secrets()

    def _read_secrets(self) -> dict[str, str]:
        try:
            return dict(json.loads((self.path / "secrets.json").read_text(encoding="utf-8")))
        except FileNotFoundError:
            return {}

    # Logs

    def open_log(self, name: str) -> IO[bytes]:
        """The log of a server, to append to."""
        path = self.get_log_path(name)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
            path.replace(path.with_suffix(".log.1"))
        return path.open("ab")

    def read_log_tail(self, name: str) -> str:
        try:
            text = self.get_log_path(name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return "(no log)"
        return "\n".join(text.splitlines()[-LOG_TAIL_LINES:]) or "(the log is empty)"

    def get_log_path(self, name: str) -> Path:
        return self.path / "log" / f"{name}.log"

    def _write_privately(self, name: str, content: dict[str, Any]) -> None:
        """Replace a file as a whole, durably: a crash leaves the old one or the new one."""
        path = self.path / name
        beside = path.with_name(f"{name}.new")
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
        with os.fdopen(
            os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as file:
            json.dump(content, file, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)


def _try_lock(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


# Ports. Note [Ports below the ephemeral range]: while a server is down, its clients keep connecting to its port. If the
# kernel also gave that port to outgoing connections, a client could get it, connect to itself, and keep the server out.


def choose_port(*, preferred: int | None, taken: Collection[int] = ()) -> int:
    """A free loopback port: the preferred one if possible, so that addresses stay from run to run."""
    if preferred is not None and preferred not in taken and is_free(preferred):
        return preferred
    highest = _get_ephemeral_low() - 1
    for _ in range(PORT_ATTEMPTS):
        port = random.randint(PORT_MIN, highest)  # noqa: S311 - not a secret
        if port not in taken and is_free(port):
            return port
    raise OSError(f"no free port on 127.0.0.1 between {PORT_MIN} and {highest}")


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def _get_ephemeral_low() -> int:
    try:
        low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError):
        low = 32_768
    return low if low > PORT_MIN + 1_000 else 65_535
