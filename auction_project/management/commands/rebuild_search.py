"""`manage.py rebuild_search`: makes what searches of the shop read anew from the offers."""

import argparse
import time
from datetime import UTC, datetime

from django.core.management.base import BaseCommand

from inventory.search import index


class Command(BaseCommand):
    help = (
        "Make what searches of the shop read anew from the published offers, 500 in a transaction. It may run at any time: "
        "searches are answered meanwhile, and no change is lost. It is for a new way to cut texts into words, and for a "
        "violation of the invariant I5."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.epilog = "Example: manage.py rebuild_search"

    def handle(self, *_args: object, **_options: object) -> None:
        began = time.monotonic()
        count = index.rebuild(now=datetime.now(UTC))
        self.stdout.write(f"{count} offers were looked at ({time.monotonic() - began:.1f} s)")
