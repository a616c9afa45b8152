"""Gateways for the tests of processes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from auction_project.processes.tests.gateways import Gateway, Start


@pytest.fixture(name="start")
def start_one(tmp_path: Path, settings: Any) -> Iterator[Start]:
    """Starts a gateway with pools of its own, and with these settings. Variables of its environment begin with GATEWAY_."""
    started: list[Gateway] = []

    def start(**changed: Any) -> Gateway:
        settings.VAR_DIR = tmp_path
        for name, value in changed.items():
            setattr(settings, name, value)
        one = Gateway(
            tmp_path, **{name: value for name, value in changed.items() if name.startswith("GATEWAY_")}
        )
        started.append(one)
        one.start()
        return one

    yield start
    for one in started:
        one.stop()


@pytest.fixture(name="front", scope="module")
def shared_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Shared by the tests that change nothing in it. The settings of tests have no limits but those of streams and of log-ins."""
    directory = tmp_path_factory.mktemp("gateway")
    with override_settings(VAR_DIR=directory, SIGN_INS_PER_MINUTE=0):
        one = Gateway(directory)
        one.start()
    yield one
    one.stop()
