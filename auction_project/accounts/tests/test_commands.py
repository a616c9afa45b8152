"""`create_account` and `migrate_all` as a person types them."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db.migrations.loader import MigrationLoader

from auction_project.accounts import models, permissions, selectors
from auction_project.accounts.tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db(databases=["default"])


def create(*more: str) -> str:
    out = StringIO()
    call_command("create_account", "--email", "Ada@example.org", "--password", PASSWORD, *more, stdout=out)
    return out.getvalue().strip()


def test_it_makes_the_account_and_says_its_id() -> None:
    user_id = create("--roles", "seller", "operator", "--verified", "--group", "finance", "--group", "viewer")

    user = selectors.get_account(user_id)
    assert (user.email, user.roles) == ("ada@example.org", ("bidder", "seller", "operator"))
    assert (user.is_staff, user.is_superuser, user.email_verified) == (True, False, True)
    assert selectors.get_admin_groups(user) == ("finance", "viewer")
    assert user.check_password(PASSWORD)


def test_a_second_run_adds_what_is_new_and_takes_nothing_away() -> None:
    first = create("--roles", "seller", "--verified")

    assert create("--superuser") == first
    assert create() == first

    user = selectors.get_account(first)
    assert (user.roles, user.is_superuser, user.is_staff) == (("bidder", "seller"), True, True)
    assert models.User.objects.count() == 1


@pytest.mark.parametrize("wrong", [["--roles", "king"], ["--group", "bidder"]])
def test_a_wrong_name_is_refused_and_makes_nothing(wrong: list[str]) -> None:
    with pytest.raises(CommandError):
        create(*wrong)

    assert models.User.objects.count() == 0


def test_a_wrong_address_is_refused() -> None:
    with pytest.raises(CommandError):
        call_command("create_account", "--email", "ada", "--password", PASSWORD)

    assert models.User.objects.count() == 0


def test_help_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        call_command("create_account", "--help")

    assert left.value.code == 0
    assert "Running it again changes nothing" in " ".join(capsys.readouterr().out.split())


def test_the_migration_makes_every_group_of_the_table() -> None:
    module = MigrationLoader(None).disk_migrations["accounts", "0002_groups"].__module__
    made = __import__(module, fromlist=["GROUPS"]).GROUPS

    assert set(made) == {"bidder", "seller", "operator", *permissions.GROUPS}


def test_changepassword_is_refused_with_the_command_that_writes_to_the_owner() -> None:
    user_id = create()

    with pytest.raises(CommandError, match="create_account --email"):
        call_command("changepassword", "ada@example.org")

    assert selectors.get_account(user_id).check_password(PASSWORD)


def test_createsuperuser_is_refused_with_the_command_that_informs_the_other_apps() -> None:
    with pytest.raises(CommandError, match="create_account --email"):
        call_command("createsuperuser", email="ada@example.org", interactive=False)

    assert models.User.objects.count() == 0
