"""`manage.py migrate_all`: brings all five databases up to date, then the permissions of the groups of the admin."""

from django.core.management import call_command
from django.core.management.base import BaseCommand

from auction_project.accounts import services
from auction_project.kernel import databases


class Command(BaseCommand):
    help = (
        "Migrate every PostgreSQL database, and give the groups of the admin their permissions. Running it again changes "
        "nothing."
    )

    def handle(self, *_args: object, **options: object) -> None:
        for alias in databases.ALIASES:
            self.stdout.write(f"migrating {alias}")
            call_command(
                "migrate", database=alias, interactive=False, verbosity=int(str(options["verbosity"])) - 1
            )
        for permission in services.sync_group_permissions():
            self.stderr.write(f"no such permission: {permission}")
