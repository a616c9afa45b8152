"""What `verify` reports of a backlog: behind while it moves, E4 if it does not; and every invariant has its sentence."""

import ast
import io
import re
from pathlib import Path

import pytest

from auction_project import verification
from auction_project.kernel.findings import Finding
from auction_project.management.commands import verify
from auction_project.verification import report, words

ROOT = Path(__file__).resolve().parents[3]
QUIET = report._Backlog({}, [])


@pytest.fixture(name="looks")
def looks_at_the_backlog(monkeypatch, settings):
    """The backlog at each look; the last one stays."""
    script = []
    monkeypatch.setattr(report, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(report, "_backlog", lambda _: script.pop(0) if len(script) > 1 else script[0])
    return script


def lag(**groups):
    return report._Backlog(groups, [])


def test_verify_waits_for_quiet(looks):
    looks += [lag(sagas=5), report._Backlog({}, ["sales are under way"]), QUIET]

    assert report._wait_for_quiet(60.0) == (QUIET, {})


def test_a_backlog_that_grows_or_shrinks_is_behind_and_one_that_does_not_move_is_stuck(looks):
    looks += [lag(sagas=5, orders=3, bidding=2), lag(sagas=9, orders=3), lag(sagas=5, orders=3, bidding=2)]

    backlog, stuck = report._wait_for_quiet(0.1)

    assert backlog.lags == {"sagas": 5, "orders": 3, "bidding": 2}
    assert stuck == {"orders": 3}


@pytest.mark.parametrize(("settle_seconds", "held"), [(0.0, ("stays",)), (None, ("passes", "stays"))])
def test_in_a_settled_system_only_violations_of_both_checks_count(monkeypatch, settle_seconds, held):
    """A lot that closes during a check does not match its notices for a moment."""
    looks = [
        verification.Report((Finding("N4", 5, ("passes", "stays")), Finding("E3", 2, ())), 1, 0),
        verification.Report((Finding("N4", 6, ("stays", "comes")), Finding("E3", 2, ("comes",))), 3, 0),
    ]
    monkeypatch.setattr(report, "_judge", lambda *_: looks.pop(0))

    verified = verification.verify(settle_seconds=settle_seconds, answers=None)

    assert {finding.invariant: finding.violations for finding in verified.findings} == {"N4": held, "E3": ()}
    assert len(looks) == (0 if settle_seconds is not None else 1)


def test_a_settled_system_without_a_violation_is_checked_once(monkeypatch):
    sound = verification.Report((Finding("N4", 5, ()),), 0, 0)
    looks = [sound]
    monkeypatch.setattr(report, "_judge", lambda *_: looks.pop(0))

    assert verification.verify(settle_seconds=0.0, answers=None) is sound


@pytest.mark.parametrize(
    ("violations", "behind", "code", "verdict"),
    [
        ((), (), 0, "all hold"),
        ((), ("sales are under way",), verify.STILL_BEHIND, "STILL BEHIND"),
        (("a debit",), ("sales are under way",), verify.VIOLATED, "VIOLATED"),
    ],
)
def test_the_three_verdicts_have_exit_codes_of_their_own(monkeypatch, violations, behind, code, verdict):
    judged = verification.Report((Finding("M2", 7, violations),), 0, 0, behind)
    monkeypatch.setattr(verification, "verify", lambda **_: judged)
    command = verify.Command(stdout=io.StringIO())

    with pytest.raises(SystemExit) as end:
        command.handle(settled=True, answers=None, json=None)

    output = command.stdout._out.getvalue()
    assert end.value.code == code
    assert next(line for line in output.splitlines() if line.startswith("M2")).endswith(words.WORDS["M2"])
    assert output.splitlines()[-1].startswith(f"{verdict} (")
    assert ("still behind: sales are under way" in output) == bool(behind)


@pytest.mark.parametrize(
    ("checked", "violations", "shown"),
    [
        (0, (), ["B1", "-", "nothing to check"]),
        (1, (), ["B1", "ok", "1 checked"]),
        (0, ("a bid",), ["B1", "VIOLATED 1", "nothing to check"]),
    ],
)
def test_what_was_not_checked_is_not_called_ok(monkeypatch, checked, violations, shown):
    judged = verification.Report((Finding("B1", checked, violations),), 0, 0)
    monkeypatch.setattr(verification, "verify", lambda **_: judged)
    command = verify.Command(stdout=io.StringIO())

    with pytest.raises(SystemExit):
        command.handle(settled=False, answers=None, json=None)

    line = command.stdout._out.getvalue().splitlines()[0]
    missing = [] if checked or violations else [verify.ANSWERS_MISSING.strip()]
    assert re.split(r"\s{2,}", line) == [*shown, words.WORDS["B1"], *missing]


@pytest.mark.parametrize(
    ("invariant", "settled", "answers", "missing"),
    [
        ("B4", False, None, "--answers FILE"),
        ("B4", False, "answers.jsonl", ""),
        ("E4", False, None, "--settled"),
        ("E4", True, None, ""),
        ("N4", False, None, "--settled"),
        ("S1", False, None, ""),
    ],
)
def test_what_an_option_would_check_names_the_option(monkeypatch, invariant, settled, answers, missing):
    judged = verification.Report((Finding(invariant, 0, ()),), 0, 0)
    monkeypatch.setattr(verification, "verify", lambda **_: judged)
    command = verify.Command(stdout=io.StringIO())

    with pytest.raises(SystemExit):
        command.handle(settled=settled, answers=answers, json=None)

    line = command.stdout._out.getvalue().splitlines()[0]
    assert missing in line
    assert ("--" in line) == bool(missing)


def test_every_invariant_that_a_checker_names_is_explained():
    """Without its sentence, a new invariant would print as an id only."""
    packages = ("auction_project", "bidding", "inventory", "orders", "notifications", "sagas")
    sources = [
        path
        for package in packages
        for path in (ROOT / package).rglob("*.py")
        if path.name == "invariants.py" or path.parent.name == "verification"
    ]
    named = {
        node.value
        for path in sources
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"[BCEIMNS]\d", node.value)
    }

    assert named <= words.WORDS.keys()
    assert {"B1", "S1", "I2", "M4", "C2", "E4", "N1"} <= named
