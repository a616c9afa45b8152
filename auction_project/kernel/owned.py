"""What a process has one of: made at its first use, closed when the process ends.

An app declares an `Owned`; `auction_project.bootstrap` says how it is made. So the app knows what it uses, and never
which implementation it gets.

    current: Owned[PaymentProvider] = Owned("payment provider")
    current().capture(...)
"""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Generic, TypeVar

from auction_project.kernel import logs

log = logs.get(__name__)

_T = TypeVar("_T")
Maker = Callable[[], AbstractContextManager[Any]]

_makers: dict[str, Maker] = {}
_open: list["Owned[Any]"] = []  # in the order of making


class Owned(Generic[_T]):
    """The one `_T` of this process. Thread-safe. A forked process makes its own, if its parent has made none."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._value: _T | None = None
        self._manager: AbstractContextManager[_T] | None = None
        self._lock = threading.Lock()

    def __call__(self) -> _T:
        """The object, made by its maker at the first call. Raises RuntimeError when it has none."""
        if (value := self._value) is not None:  # each bid comes here: no lock for what stays as it is
            return value
        with self._lock:
            if self._value is None:
                if self.name not in _makers:
                    raise RuntimeError(f"This process has no {self.name}: nothing has started it.")
                manager = _makers[self.name]()
                self._value = manager.__enter__()
                self._manager = manager
                _open.append(self)
            return self._value

    @property
    def is_made(self) -> bool:
        return self._value is not None

    def put(self, value: _T) -> None:
        """Own `value`, which its maker closes itself: what an event loop starts and stops."""
        self._value = value

    def take(self) -> _T | None:
        """Let go of what `put` gave, to close it."""
        value, self._value = self._value, None
        return value

    def close(self) -> None:
        """Close what a maker made; the next call makes another."""
        with self._lock:
            manager, self._manager = self._manager, None
            if manager is not None:
                self._value = None
                _open.remove(self)
        if manager is not None:
            manager.__exit__(None, None, None)

    @contextlib.contextmanager
    def replaced_by(self, value: _T) -> Iterator[_T]:
        """`value` in its place, for a test."""
        before, self._value = self._value, value
        try:
            yield value
        finally:
            self._value = before


def made_by(makers: Mapping[str, Maker]) -> None:
    """How each is made, by the name of its `Owned`: a context manager that gives it, and closes it at its exit."""
    _makers.update(makers)


def close_all() -> None:
    """Close what was made, the last first. What fails to close is logged and stops no other."""
    while _open:
        last = _open[-1]
        try:
            last.close()
        except Exception:
            log.exception("not_closed", owned=last.name)
