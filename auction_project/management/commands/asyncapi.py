"""`manage.py asyncapi`: writes the AsyncAPI document of all events."""

import argparse
from pathlib import Path

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand

from auction_project.contracts import asyncapi
from auction_project.messaging import broker, dead_letters

COMMITTED = Path("docs/asyncapi.json")


def rendered() -> bytes:
    found = asyncapi.document(
        partitions=broker.PARTITIONS, dead_letter=dead_letters.Letter, dead_letter_suffix=broker.DLQ_SUFFIX
    )
    return msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n"


class Command(BaseCommand):
    help = f"Write the AsyncAPI 3 document of all events, by default to {COMMITTED}."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--output",
            type=Path,
            default=settings.BASE_DIR / COMMITTED,
            help="file, or - for standard output",
        )

    def handle(self, *_args: object, **options: object) -> None:
        output = Path(str(options["output"]))
        if str(output) == "-":
            self.stdout.write(rendered().decode(), ending="")
            return
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_bytes(rendered())
        self.stdout.write(f"wrote {output}")
