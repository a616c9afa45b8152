"""`manage.py migrate_all`: brings all five databases up to date."""

from django.core.management import call_command
from django.core.management.base import BaseCommand

from auction_project import db_router


class Command(BaseCommand):
    help = "Migrate every database."

    def handle(self, *_args: object, **options: object) -> None:
        for alias in db_router.ALIASES:
            self.stdout.write(f"migrating {alias}")
            call_command("migrate", database=alias, interactive=False, verbosity=int(str(options["verbosity"])) - 1)
