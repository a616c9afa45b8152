"""Which passwords are refused: at sign-up, for a change, and at the console."""

from collections.abc import Callable

import pytest
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command

from auction_project.accounts import models
from auction_project.accounts.tests.conftest import PASSWORD, App

Make = Callable[..., models.User]


def rules_against(password: str) -> list[str]:
    try:
        password_validation.validate_password(password, models.User(email="ada.lovelace@example.org"))
    except ValidationError as error:
        return [each.code for each in error.error_list]
    return []


@pytest.mark.parametrize(
    ("password", "rule"),
    [
        ("short-one", "password_too_short"),
        ("83150276419", "password_entirely_numeric"),
        ("ada.lovelace1", "password_too_similar"),
        ("1234567890", "password_breached"),
        ("Password1234", "password_breached"),
        ("p4ssw0rd!2026", "password_breached"),
        ("letmeinletmein", "password_breached"),
        (" dragon 2026", "password_breached"),
        ("x" * 40, "password_breached"),
        ("QWERTYUIOP", "password_breached"),
    ],
)
def test_a_weak_password_names_the_rule(password: str, rule: str) -> None:
    assert rule in rules_against(password)


@pytest.mark.parametrize(
    "password",
    [PASSWORD, "going-going-gone", "dragon 8471 9925 3347", "passwordless ships", "ich heiße Ünal"],
)
def test_a_password_that_no_list_has_is_taken(password: str) -> None:
    assert rules_against(password) == []


@pytest.mark.django_db(databases=["default"])
def test_a_breached_password_makes_no_account(app: App) -> None:
    status, problem = app.post(
        "/_allauth/app/v1/auth/signup", {"email": "ada@example.org", "password": "password1234"}
    )

    assert (status, problem["field"]) == (400, "password")
    assert [each["code"] for each in problem["errors"]] == ["password_breached"]
    assert models.User.objects.count() == 0


@pytest.mark.django_db(databases=["default"])
def test_a_weak_password_makes_no_account_at_the_console() -> None:
    with pytest.raises(CommandError, match="stolen"):
        call_command(
            "create_account", "--email", "root@example.org", "--password", "password1234", "--superuser"
        )

    assert models.User.objects.count() == 0
