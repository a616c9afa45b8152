"""A client at the admin with single permissions of orders."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client


def client_with(*codenames: str, superuser: bool = False, email: str = "desk@example.org") -> Client:
    user = get_user_model()(email=email, is_staff=True, is_superuser=superuser)
    user.set_unusable_password()
    user.save()
    permissions = Permission.objects.filter(content_type__app_label="orders", codename__in=codenames)
    assert len(permissions) == len(codenames)
    user.user_permissions.set(permissions)
    client = Client()
    client.force_login(user)
    return client
