"""`manage.py asyncapi`: writes the AsyncAPI documents of the events and of the streams."""

import argparse
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand

from auction_project.web import event_documents


class Command(BaseCommand):
    help = (
        "Write the AsyncAPI 3 documents of the events and of the streams: "
        f"{', '.join(map(str, event_documents.DOCUMENTS))}."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--directory",
            type=Path,
            default=settings.BASE_DIR,
            help="write them below this directory (default: the project's)",
        )

    def handle(self, *_args: object, **options: object) -> None:
        for path, rendered in event_documents.DOCUMENTS.items():
            output = Path(str(options["directory"])) / path
            output.parent.mkdir(parents=True, exist_ok=True)
            output.write_bytes(rendered())
            self.stdout.write(f"wrote {output}")
