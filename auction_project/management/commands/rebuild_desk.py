"""`manage.py rebuild_desk`: fills the owner's desk from its sources."""

import argparse
import time

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError
from django.utils import timezone
from rich.progress import Progress

from auction_project.kernel import errors
from auction_project.management import desk_sources
from orders.desk import rebuilding


class Command(BaseCommand):
    help = (
        "Fill the owner's desk from its sources: orders, sagas, the bid log and inventory. It may run at any time: the page is "
        "read and events are recorded meanwhile. Run it after an update that brings the desk, after a change of TIME_ZONE, and "
        "when `manage.py verify` finds D1 or D2 violated. Exit code 0: everything is there; 1: a store did not answer, so run it "
        "again."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--empty",
            action="store_true",
            help="delete what the desk knows first: after a store was restored to an earlier time",
        )
        parser.epilog = "Example: manage.py rebuild_desk"

    def handle(self, *_args: object, **options: object) -> None:
        began = time.monotonic()
        done: dict[str, int] = {}
        try:
            if options["empty"]:
                rebuilding.empty()
            with Progress(transient=True) as progress:
                tasks = {}
                for step in rebuilding.rebuild(desk_sources.Sources(), now=timezone.now()):
                    if step.stage not in tasks:
                        tasks[step.stage] = progress.add_task(step.stage, total=step.total)
                    progress.update(tasks[step.stage], completed=step.done, total=step.total)
                    done[step.stage] = step.done
            rebuilding.analyze()
        except (errors.Unavailable, OperationalError) as error:
            raise CommandError(f"the desk is not complete, run it again: {error}") from error
        counts = ", ".join(f"{count:,} {stage}" for stage, count in done.items())
        self.stdout.write(f"the desk is filled: {counts} ({time.monotonic() - began:.1f} s)")
