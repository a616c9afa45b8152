"""Where the embedded servers cannot run they say so before they do anything."""

import platform
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from auction_project.tools.embedded import __main__ as program
from auction_project.tools.embedded import requirements_check

Version = namedtuple("Version", "major minor micro releaselevel serial")


@pytest.mark.parametrize(
    ("system", "machine", "version", "reason"),
    [
        ("darwin", "arm64", (3, 12), "Linux x86-64 only"),
        ("win32", "AMD64", (3, 12), "Linux x86-64 only"),
        ("linux", "aarch64", (3, 12), "Linux x86-64 only"),
        ("linux", "x86_64", (3, 10), "CPython 3.11 to 3.14"),
        ("linux", "x86_64", (3, 15), "CPython 3.11 to 3.14"),
    ],
)
def test_unsupported_machine_is_refused_before_anything_is_made(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    system: str,
    machine: str,
    version: tuple[int, int],
    reason: str,
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(sys, "version_info", Version(*version, 0, "final", 0))

    code = program.main(["run", "--data", str(tmp_path / "data"), "--", "true"])

    assert code == 2
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


def test_missing_wheel_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(requirements_check.WHEELS, "valkey", ("no_such_module", "no-such-wheel"))

    with pytest.raises(requirements_check.Unsupported, match="Not installed: no-such-wheel"):
        requirements_check.require(servers=["valkey", "mongodb"])


@pytest.mark.parametrize("arguments", [["run"], ["run", "--"]])
def test_nothing_to_run_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(arguments) == 2
    assert "nothing to run" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--help"], ["run", "--help"], ["control", "--help"], ["status", "--help"]]
)
def test_help_is_given(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        program.main(arguments)

    assert end.value.code == 0
    assert "usage: python -m auction_project.tools.embedded" in capsys.readouterr().out
