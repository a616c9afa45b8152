"""Django's system checks of accounts: signing keys that belong together, and the second factor of staff.

A process that signs tokens which no process accepts must not start.
"""

from typing import Any

from django.conf import settings
from django.core import checks

from auction_project.kernel import tokens
from auction_project.settings import development_keys


def check_signing_keys(**_: Any) -> list[checks.CheckMessage]:
    """JWT_PUBLIC_KEY must belong to JWT_PRIVATE_KEY where accounts are served, and a second key must be a key."""
    return [*_check_second_key(), *_check_pair()]


def _check_second_key() -> list[checks.CheckMessage]:
    if settings.JWT_SECOND_PUBLIC_KEY:
        try:
            tokens.key_id(settings.JWT_SECOND_PUBLIC_KEY)
        except (ValueError, TypeError, AttributeError) as error:
            return [
                checks.Error(
                    f"JWT_SECOND_PUBLIC_KEY is not an RSA public key in PEM: {error}", id="accounts.E003"
                )
            ]
    return []


def _check_pair() -> list[checks.CheckMessage]:
    if "accounts" not in settings.SERVICES:
        return []
    try:
        expected = development_keys.public_key_of(settings.JWT_PRIVATE_KEY)
    except ValueError as error:
        return [checks.Error(f"JWT_PRIVATE_KEY is not a private key in PEM: {error}", id="accounts.E001")]
    if expected.split() != settings.JWT_PUBLIC_KEY.split():
        return [
            checks.Error(
                "JWT_PUBLIC_KEY does not belong to JWT_PRIVATE_KEY: every token signed here would be refused.",
                hint="Set both, or take 'accounts' out of SERVICES in a process that signs nothing.",
                id="accounts.E002",
            )
        ]
    return []


def check_second_factor(**_: Any) -> list[checks.CheckMessage]:
    """For `check --deploy`: warn a site that has switched the second factor off."""
    if settings.STAFF_SECOND_FACTOR or "accounts" not in settings.SERVICES:
        return []
    return [
        checks.Warning("STAFF_SECOND_FACTOR is off: a password alone opens the admin.", id="accounts.W004")
    ]
