"""`manage.py verify`: checks the invariants of the whole over all stores, and says what each of them means.

Exit codes: 0 all hold; 1 an invariant is violated; 2 a store is unavailable, so there is no verdict; 3 what could be
judged holds, but with --settled something was still under way when the time was up.
"""

import argparse
import sys
import time
from pathlib import Path

import msgspec
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from auction_project import verification
from auction_project.kernel import errors, findings
from auction_project.verification import words

SETTLE_SECONDS = 90.0  # longer than a task that died with its worker takes to be sent again
VIOLATED, STORE_UNAVAILABLE, STILL_BEHIND = 1, 2, 3
MAX_SHOWN = 20  # violations of one invariant
FROM_ANSWERS, IN_QUIET = {"B1", "B4"}, {"E4", "N4", "D1", "D2"}
ANSWERS_MISSING = "  (needs the answers that clients got: manage.py load writes them, then --answers FILE)"
SETTLED_MISSING = "  (is judged in quiet only: --settled)"


class Command(BaseCommand):
    help = (
        "Check every invariant over all stores, and say what each means. It changes nothing and may run at any time: "
        "what belongs to an unfinished sale is counted and not judged. Exit code 0: all hold; 1: at least one is "
        "violated; 2: a store is unavailable; 3: with --settled, something is still under way."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--settled",
            action="store_true",
            help=f"first wait up to {SETTLE_SECONDS:g} s until nothing is under way, then judge all but parked sales",
        )
        parser.add_argument(
            "--answers",
            type=Path,
            help="a file that `manage.py load` wrote: compare its answers with the log",
        )
        parser.add_argument("--json", type=Path, help="also write the findings to this file")
        parser.epilog = "Example: manage.py verify --settled --answers var/answers.jsonl"

    def handle(self, *_args: object, **options: object) -> None:
        started = time.monotonic()
        try:
            report = verification.verify(
                settle_seconds=SETTLE_SECONDS if options["settled"] else None,
                answers=options["answers"],  # type: ignore[arg-type]
            )
        except (errors.Unavailable, OperationalError) as error:
            raise CommandError(
                f"not verified, a store is unavailable: {error}", returncode=STORE_UNAVAILABLE
            ) from error
        for finding in report.findings:
            self._print(finding, _missing(finding, options))
        held = all(not finding.violations for finding in report.findings)
        self.stdout.write(
            f"set aside as unfinished: {report.set_aside} sales, {report.parked} of them wait for an operator"
        )
        for what in report.behind:
            self.stdout.write(f"still behind: {what}")
        verdict = "VIOLATED" if not held else "STILL BEHIND" if report.behind else "all hold"
        self.stdout.write(f"{verdict} ({time.monotonic() - started:.1f} s)")
        if options["json"]:
            Path(str(options["json"])).write_bytes(msgspec.json.encode(report))
        sys.exit(VIOLATED if not held else STILL_BEHIND if report.behind else 0)

    def _print(self, finding: findings.Finding, missing: str) -> None:
        if finding.violations:
            verdict = f"VIOLATED {len(finding.violations)}"
        else:
            verdict = "ok" if finding.checked else "-"
        checked = f"{finding.checked:>9} checked" if finding.checked else f"{'nothing to check':>17}"
        meaning = words.WORDS.get(finding.invariant, "")
        self.stdout.write(f"{finding.invariant:<4} {verdict:<12} {checked}   {meaning}{missing}")
        for violation in finding.violations[:MAX_SHOWN]:
            self.stdout.write(f"       {violation}")


def _missing(finding: findings.Finding, options: dict[str, object]) -> str:
    """Which option gives a reason to check what was not checked."""
    if finding.checked or finding.violations:
        return ""
    if finding.invariant in FROM_ANSWERS and not options["answers"]:
        return ANSWERS_MISSING
    if finding.invariant in IN_QUIET and not options["settled"]:
        return SETTLED_MISSING
    return ""
