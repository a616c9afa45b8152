"""The demo's screen says where it is, also if another program has the port that it wanted."""

import io

import pytest
from rich.console import Console

from auction_project.tools.demo import screen


@pytest.mark.parametrize(("port", "says_so"), [(8000, False), (8001, True), (18000, True)])
def test_the_screen_says_that_the_port_was_taken(port: int, says_so: bool) -> None:
    shown = io.StringIO()

    Console(file=shown, width=160).print(
        screen.welcome(f"http://127.0.0.1:{port}", wanted_port=8000, logs="var/demo")
    )

    assert (f"Port 8000 was taken, using {port}." in shown.getvalue()) == says_so
    assert f"http://127.0.0.1:{port}/demo/mail/" in shown.getvalue()
