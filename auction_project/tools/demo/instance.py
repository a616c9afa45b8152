"""The running demo of a directory, as other commands find it: a lock that its process holds, and the file
var/demo.json.

The process that holds the lock is the demo. The kernel releases the lock when the process dies in any way, so that no
command stops another process by the file of a killed demo.
"""

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

STOP_SECONDS = 60.0  # a little more than the roles and the servers may take to drain
ASK_SECONDS = 300.0  # all processes may restart, one after the other
POLL_SECONDS = 0.2
_DONE, _REFUSED = "done", "refused: "


class NotRunning(RuntimeError):
    """No demo runs here."""


class AlreadyRunning(RuntimeError):
    """Another demo runs here: end it first (make stop)."""


class Instance:
    """The demo of one directory; `file` describes it."""

    def __init__(self, *, lock: Path, file: Path) -> None:
        self._lock_path = lock
        self._file = file
        self._lock: IO[str] | None = None

    def hold(self) -> None:
        """Take the lock until `leave`, or until this process ends. Raises AlreadyRunning."""
        self._lock_path.parent.mkdir(parents=True, exist_ok=True)
        lock = self._lock_path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise AlreadyRunning(
                f"a demo runs here (process {self.pid() or 'unknown'}): make stop"
            ) from error
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self._lock = lock
        self._file.unlink(missing_ok=True)

    def leave(self) -> None:
        """Release the lock and delete the file."""
        if self._lock is not None:
            self._file.unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def write(self, content: Mapping[str, Any]) -> None:
        """Replace the file as a whole. Only this user may read it, because it holds passwords."""
        draft = self._file.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(content, indent=2), encoding="utf-8")
        draft.rename(self._file)

    def pid(self) -> int | None:
        """The process that is the demo now; None when there is none."""
        try:
            with self._lock_path.open("r+", encoding="utf-8") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return None
        except BlockingIOError:
            written = self._lock_path.read_text(encoding="utf-8").strip()
            return int(written) if written.isdigit() else None
        return None

    def read(self) -> dict[str, Any]:
        """The description of the running demo. Raises NotRunning."""
        if self.pid() is not None:
            with contextlib.suppress(FileNotFoundError):
                return dict(json.loads(self._file.read_text(encoding="utf-8")))
            raise NotRunning("the demo here has only just begun: try again in a moment")
        raise NotRunning("no demo runs here: make demo")

    def ask(self, wanted: Mapping[str, Any]) -> Iterator[str]:
        """Let the running demo do something; what it says about it, line by line. Raises NotRunning, TimeoutError, ValueError."""
        self.read()
        request, said = self._file.with_suffix(".request"), 0
        answer = self._file.with_suffix(".answer")
        answer.unlink(missing_ok=True)
        draft = request.with_suffix(".draft-request")
        draft.write_text(json.dumps(wanted), encoding="utf-8")
        draft.rename(request)
        deadline = time.monotonic() + ASK_SECONDS
        while time.monotonic() < deadline:
            lines = answer.read_text(encoding="utf-8").splitlines() if answer.exists() else []
            for line in lines[said:]:
                if line == _DONE:
                    return
                if line.startswith(_REFUSED):
                    raise ValueError(line.removeprefix(_REFUSED))
                yield line
            said = len(lines)
            time.sleep(POLL_SECONDS)
        raise TimeoutError(f"the demo has not answered within {ASK_SECONDS:g} s")

    def answer(self, do: Callable[[dict[str, Any]], Iterator[str]]) -> None:
        """In the demo: do what was asked for, if anything was. An error ends the answer and no more."""
        request, answer = self._file.with_suffix(".request"), self._file.with_suffix(".answer")
        if not request.exists():
            return
        change = json.loads(request.read_text(encoding="utf-8"))
        request.unlink()
        with answer.open("w", encoding="utf-8", buffering=1) as lines:
            try:
                for line in do(change):
                    lines.write(f"{line}\n")
            except Exception as refusal:
                lines.write(f"{_REFUSED}{refusal}\n")
            else:
                lines.write(f"{_DONE}\n")

    def stop(self) -> None:
        """End the demo and wait until it has ended. Raises NotRunning, TimeoutError."""
        pid = self.pid()
        if pid is None:
            raise NotRunning("no demo runs here")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while self.pid() == pid:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the demo (process {pid}) has not ended within {STOP_SECONDS:g} s")
            time.sleep(POLL_SECONDS)
