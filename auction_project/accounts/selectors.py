"""Reads of accounts. Never writes."""

from typing import Any

from django.contrib.auth import models as auth_models
from django.db.models import Q, QuerySet

from auction_project.accounts import models, permissions
from auction_project.kernel import ids


def get_account(user_id: str) -> models.User:
    """The account. Raises AccountNotFound."""
    return models.User.objects.find(user_id)


def get_claims(user: models.User, session_key: str) -> dict[str, Any]:
    """The claims of an access token of `user` that allauth does not add: roles, whether the address is verified, when
    the account was created (seconds since the epoch), and the id of the session.
    """
    return {
        "roles": list(user.roles),
        "email_verified": user.email_verified,
        "created_at": int(user.date_joined.timestamp()),
        "session": ids.session_id(session_key),
    }


def get_admin_groups(user: models.User) -> tuple[str, ...]:
    """The account's groups in the admin, in the order of the table."""
    held = set(user.groups.values_list("name", flat=True))
    return tuple(name for name in permissions.GROUPS if name in held)


def list_group_permissions(name: str) -> QuerySet[auth_models.Permission]:
    """The existing permissions that the table gives to the group `name`."""
    rights = permissions.GROUPS[name]
    query = Q(content_type__app_label__in=rights.view, codename__startswith="view_")
    for permission in rights.may:
        app_label, _, codename = permission.partition(".")
        query |= Q(content_type__app_label=app_label, codename=codename)
    return auth_models.Permission.objects.filter(query).order_by("pk")
