"""The demo's screen says where it is, also if another program has the port that it wanted; and which processes run."""

import io
import re

import pytest
from rich.console import Console

from auction_project.processes import registry
from auction_project.tools.demo import screen


@pytest.mark.parametrize(("port", "says_so"), [(8000, False), (8001, True), (18000, True)])
def test_the_screen_says_that_the_port_was_taken(port: int, says_so: bool) -> None:
    shown = io.StringIO()

    Console(file=shown, width=160).print(
        screen.welcome(f"http://127.0.0.1:{port}", wanted_port=8000, logs="var/demo")
    )

    assert (f"Port 8000 was taken, using {port}." in shown.getvalue()) == says_so
    assert f"http://127.0.0.1:{port}/demo/mail/" in shown.getvalue()


def process(copy: str, *, ready: bool = True, rate: float | None = None) -> registry.Process:
    return registry.Process(
        id=copy,
        role="web",
        copy=copy,
        ready=ready,
        cpu=0.25,
        memory_mib=100.4,
        rate=None if rate is None else registry.Figure(rate, "requests"),
        lag=registry.Figure(3, "requests"),
    )


def shown(processes: list[registry.Process] | None) -> list[list[str]]:
    """The words of each line, as far as two spaces or more divide them."""
    text = io.StringIO()
    Console(file=text, width=100).print(screen.services(processes))
    return [re.split(r" {2,}", line.strip()) for line in text.getvalue().splitlines()]


def test_the_screen_adds_up_the_copies_of_a_role() -> None:
    lines = shown(
        [
            process("bids", rate=10),
            process("bids-2", ready=False, rate=20),
            process("dead-letters"),
        ]
    )

    assert lines == [
        ["processes", "ready", "CPU", "memory", "work", "lag"],
        ["bids", "1 of 2", "50.0%", "201 MiB", "30 requests/s", "6 requests"],
        ["dead-letters", "1 of 1", "25.0%", "100 MiB", "-", "3 requests"],
    ]


def test_the_screen_says_that_redis_does_not_answer() -> None:
    assert shown(None) == [["Redis does not answer: which processes run is unknown"]]
