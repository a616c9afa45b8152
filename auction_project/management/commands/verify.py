"""`manage.py verify`: checks the invariants of DESIGN over all stores, and exits 1 on a violation, 2 when a store is away."""

import argparse
import sys
import time
from pathlib import Path

import msgspec
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from auction_project import errors, invariants, verification

SETTLE_SECONDS = 30.0


class Command(BaseCommand):
    help = (
        "Check every invariant over all stores. On a live system what belongs to an unfinished sale is set aside and "
        "counted; with --settled only a sale that waits for an operator is."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--settled",
            action="store_true",
            help=f"wait up to {SETTLE_SECONDS:g} s until nothing is under way, then judge all that is not parked",
        )
        parser.add_argument(
            "--answers", type=Path, help="a file of `manage.py load`: what each bidder was answered"
        )
        parser.add_argument("--json", type=Path, help="write the findings to this file, too")

    def handle(self, *_args: object, **options: object) -> None:
        started = time.monotonic()
        try:
            report = invariants.verify(
                settle_seconds=SETTLE_SECONDS if options["settled"] else None,
                answers=options["answers"],  # type: ignore[arg-type]
            )
        except (errors.Unavailable, OperationalError) as away:
            raise CommandError(f"not verified, a store is away: {away}", returncode=2) from away
        for finding in report.findings:
            self._print(finding)
        held = all(not finding.violations for finding in report.findings)
        self.stdout.write(
            f"set aside as unfinished: {report.set_aside} sales, {report.parked} of them wait for an operator"
        )
        self.stdout.write(f"{'all hold' if held else 'VIOLATED'} ({time.monotonic() - started:.1f} s)")
        if options["json"]:
            Path(str(options["json"])).write_bytes(msgspec.json.encode(report))
        sys.exit(0 if held else 1)

    def _print(self, finding: verification.Finding) -> None:
        verdict = "ok" if not finding.violations else f"VIOLATED {len(finding.violations)}"
        self.stdout.write(f"{finding.invariant:<4} {verdict:<12} {finding.checked:>9} checked")
        for violation in finding.violations[:20]:
            self.stdout.write(f"       {violation}")
