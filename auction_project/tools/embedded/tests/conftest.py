"""Runs that end with their test, also after a failure."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from auction_project.tools.embedded import process
from auction_project.tools.embedded.tests.running import Run


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a space and an umlaut in its name, below one that no other user can enter."""
    with tempfile.TemporaryDirectory(prefix="gavel-embedded-") as directory:
        inner = Path(directory) / "a bidder's dürectory"
        inner.mkdir()
        yield inner


@pytest.fixture
def start(place: Path) -> Iterator[Callable[..., Run]]:
    """Start a run on a data directory below `place`."""
    runs: list[Run] = []

    def start_run(name: str = "data", *, only: str = "postgres,valkey,mongodb") -> Run:
        run = Run(place / name, only=only)
        runs.append(run)
        return run

    yield start_run
    for run in runs:
        if run.front.poll() is None:
            run.kill_everything()
        for left in run.list_survivors():
            process.kill_tree(left.pid)
