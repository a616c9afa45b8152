"""The Django app `accounts`."""

from django.apps import AppConfig
from django.core import checks as django_checks


class AccountsConfig(AppConfig):
    name = "auction_project.accounts"
    label = "accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        from auction_project.accounts import checks, key_rotation, notices

        django_checks.register(checks.check_signing_keys)
        key_rotation.install()
        notices.install()
        django_checks.register(checks.check_second_factor, django_checks.Tags.security, deploy=True)
