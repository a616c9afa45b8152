"""`manage.py doctor`: says what is wrong with this installation, and what to do about it.

Exit codes: 0 nothing has failed; 1 there are warnings, with --strict; 2 something has failed.
"""

import argparse
import os
import sys

import msgspec
from django.core.management.base import BaseCommand
from django.db import connections

from auction_project.kernel import logs
from auction_project.processes.doctor import checking, examination

_MARKS = {
    checking.Outcome.OK: ("ok", "SUCCESS"),
    checking.Outcome.WARN: ("warn", "WARNING"),
    checking.Outcome.FAIL: ("FAIL", "ERROR"),
    checking.Outcome.SKIPPED: ("-", "HTTP_NOT_MODIFIED"),
}


class Command(BaseCommand):
    help = (
        "Say what is wrong with this installation and what to do: stores, clocks, migrations, topics, backlogs, sales and "
        "messages that wait for an operator, disks, certificates, settings. It changes nothing, shows no secret, and ends "
        "within five seconds, also when everything is down. Exit code 0: nothing has failed; 2: something has."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--strict", action="store_true", help="exit with 1 if there are only warnings")
        parser.add_argument("--json", action="store_true", help="write the findings as JSON, for scripts")
        parser.epilog = "Example: manage.py doctor --json --strict"

    def handle(self, *_args: object, **options: object) -> None:
        _prepare_process()
        findings = examination.examine()
        code = examination.exit_code(findings, strict=bool(options["strict"]))
        if options["json"]:
            self.stdout.write(msgspec.json.encode({"exit_code": code, "findings": findings}).decode())
        else:
            self._print(findings)
        self.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # a driver's thread that waits for a store must not keep the process

    def _print(self, findings: list[checking.Finding]) -> None:
        width = max(len(finding.check) for finding in findings)
        for finding in findings:
            mark, style = _MARKS[finding.outcome]
            colour = getattr(self.style, style)
            self.stdout.write(f"{finding.check:<{width}}  {colour(f'{mark:<4}')}  {finding.says}")
            if finding.next:
                self.stdout.write(f"{'':<{width}}        -> {finding.next}")
        counts = {
            outcome: sum(finding.outcome is outcome for finding in findings) for outcome in checking.Outcome
        }
        self.stdout.write(", ".join(f"{count} {outcome.value}" for outcome, count in counts.items() if count))


def _prepare_process() -> None:
    """Log nothing beside the table, and open connections without pools, which would go on trying."""
    logs.configure(json=False, level="CRITICAL")
    for alias in connections.settings:
        connections.settings[alias]["OPTIONS"].pop("pool", None)
