"""What can be read of accounts. Never writes."""

from typing import Any

from django.contrib.auth import models as auth_models
from django.db.models import Q, QuerySet

from auction_project.accounts import models, permissions
from auction_project.kernel import ids


def get_account(user_id: str) -> models.User:
    """Raises AccountNotFound."""
    return models.User.objects.find(user_id)


def get_claims(user: models.User, session_key: str) -> dict[str, Any]:
    """What an access token says of `user`, besides the id and until when it holds."""
    return {
        "roles": list(user.roles),
        "email_verified": user.email_verified,
        "created_at": int(user.date_joined.timestamp()),
        "session": ids.session_id(session_key),
    }


def get_admin_groups(user: models.User) -> tuple[str, ...]:
    held = set(user.groups.values_list("name", flat=True))
    return tuple(name for name in permissions.GROUPS if name in held)


def list_group_permissions(name: str) -> QuerySet[auth_models.Permission]:
    """The permissions that the table gives to the group `name`, as far as they exist."""
    rights = permissions.GROUPS[name]
    wanted = Q(content_type__app_label__in=rights.view, codename__startswith="view_")
    for permission in rights.may:
        app_label, _, codename = permission.partition(".")
        wanted |= Q(content_type__app_label=app_label, codename=codename)
    return auth_models.Permission.objects.filter(wanted).order_by("pk")
