"""`manage.py migrate_all`: brings the five PostgreSQL databases and the bid log's indexes up to date, then the permissions of the
groups of the admin."""

from django.core.management import call_command
from django.core.management.base import BaseCommand

from auction_project.accounts import services
from auction_project.kernel import databases
from bidding import runtime
from bidding.store import mongo


class Command(BaseCommand):
    help = (
        "Migrate every PostgreSQL database, make the indexes of the bid log, and give the groups of the admin their "
        "permissions. Running it again changes nothing."
    )

    def handle(self, *_args: object, **options: object) -> None:
        for alias in databases.ALIASES:
            self.stdout.write(f"migrating {alias}")
            call_command(
                "migrate", database=alias, interactive=False, verbosity=int(str(options["verbosity"])) - 1
            )
        self.stdout.write("making the indexes of the bid log")
        runtime.call(runtime.current().store.prepare(), seconds=mongo.INDEX_SECONDS)
        for permission in services.sync_group_permissions():
            self.stderr.write(f"no such permission: {permission}")
