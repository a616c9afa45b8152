"""Where allauth meets accounts: sign-up and verification go through the services; a mail server that is away is 503."""

import functools
import smtplib
from typing import Any

from allauth.account import adapter
from allauth.account import models as allauth_models
from allauth.core import exceptions as allauth_exceptions
from django.core import exceptions
from django.http import HttpRequest
from django.utils import timezone

from auction_project import api, errors, logs
from auction_project.accounts import models, services

log = logs.get(__name__)


class AccountAdapter(adapter.DefaultAccountAdapter):
    def save_user(
        self, request: HttpRequest, user: models.User, form: Any, commit: bool = True
    ) -> models.User:
        """Sign-up: the account and its event in one transaction."""
        super().save_user(request, user, form, commit=False)
        if commit:
            with _problems_as_answers():
                services.register_account(user=user, now=timezone.now())
        return user

    def clean_email(self, email: str) -> str:
        """Refuse what does not fit: allauth would cut it off."""
        if len(email) > models.User._meta.get_field("email").max_length:
            raise exceptions.ValidationError("The address is too long.", code="max_length")
        return super().clean_email(email)

    def confirm_email(self, request: HttpRequest, email_address: allauth_models.EmailAddress) -> bool:
        """Verification: the address, the account and its event in one transaction."""
        confirm = functools.partial(super().confirm_email, request, email_address)
        with _problems_as_answers():
            return services.confirm_email(user_id=email_address.user_id, confirm=confirm, now=timezone.now())

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        with _problems_as_answers():
            try:
                super().send_mail(template_prefix, email, context)
            except (smtplib.SMTPException, OSError) as error:
                log.error("mail_not_sent", template=template_prefix, error=repr(error))
                raise errors.Unavailable("The mail server is away. Try again shortly.") from error


class _problems_as_answers:
    """allauth's flows know no errors of ours: end them with the problem as the answer."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, errors.DomainError):
            raise allauth_exceptions.ImmediateHttpResponse(api.problem_response(error)) from error
