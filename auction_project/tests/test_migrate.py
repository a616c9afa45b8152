"""`manage.py migrate`: a database gets the migrations of its own apps, and no others are read for it."""

import io

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder

from auction_project.kernel import databases

pytestmark = pytest.mark.django_db(databases=databases.ALIASES)


@pytest.mark.parametrize("alias", databases.DATABASE_OF_APP.values())
def test_a_database_of_an_app_has_the_migrations_of_this_app_alone(alias: str) -> None:
    applied = MigrationRecorder(connections[alias]).applied_migrations()

    assert {app for app, _name in applied} == {alias}


def test_the_default_database_has_those_of_all_apps_without_a_database() -> None:
    apps = {app for app, _name in MigrationRecorder(connections["default"]).applied_migrations()}

    assert {"accounts", "admin", "auth", "sessions"} <= apps
    assert apps.isdisjoint(databases.DATABASE_OF_APP)


def test_an_app_of_another_database_is_refused_by_name() -> None:
    with pytest.raises(CommandError, match=r"^The tables of orders are in the database orders\.$"):
        call_command("migrate", "orders", database="inventory", verbosity=0)


def test_the_settings_are_as_before_afterwards() -> None:
    before = settings.MIGRATION_MODULES

    call_command("migrate", database="orders", plan=True, stdout=io.StringIO())

    assert settings.MIGRATION_MODULES is before
