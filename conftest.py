"""Fixtures for every test: this process's bid log runtime ends with the session; tests name the databases they use."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _end_the_bid_logs_thread() -> Iterator[None]:
    yield
    from bidding import runtime

    runtime.stop_thread()
