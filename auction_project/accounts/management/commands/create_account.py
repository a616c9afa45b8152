"""`manage.py create_account`: an account with roles, without sign-up; for a first superuser, the demo and tests."""

import argparse
import getpass

from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email
from django.utils import timezone

from auction_project.accounts import models, permissions, services
from auction_project.kernel import errors, tokens


class Command(BaseCommand):
    help = "Create an account, or extend one. Running it again changes nothing, and nothing is taken away."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--email", required=True, help="the address that signs in")
        parser.add_argument("--password", help="without it, the command asks for it")
        parser.add_argument(
            "--roles", nargs="*", default=[], choices=tokens.ROLES, help="what it may do in auctions"
        )
        parser.add_argument(
            "--verified", action="store_true", help="the address counts as verified (makes a bidder)"
        )
        parser.add_argument("--superuser", action="store_true", help="may do everything in the admin")
        parser.add_argument(
            "--group",
            action="append",
            default=[],
            choices=list(permissions.GROUPS),
            help="a group of the admin; repeatable",
        )

    def handle(self, *_args: object, **options: object) -> None:
        password = options["password"] or getpass.getpass()
        try:
            validate_email(options["email"])
            password_validation.validate_password(str(password), models.User(email=str(options["email"])))
            user = services.create_account(
                email=str(options["email"]),
                password=str(password),
                roles=options["roles"],
                groups=options["group"],
                verified=bool(options["verified"]),
                superuser=bool(options["superuser"]),
                actor="command",
                now=timezone.now(),
            )
        except (errors.DomainError, ValidationError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(user.id)
