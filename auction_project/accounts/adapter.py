"""allauth's adapters: its flows go through the services, links begin with PUBLIC_URL, each attempt to sign in is logged
and counted, and an unavailable mail server is 503.
"""

import contextlib
import functools
import hashlib
import smtplib
from collections.abc import Iterator
from typing import Any

from allauth.account import adapter
from allauth.account import models as allauth_models
from allauth.core import exceptions as allauth_exceptions
from allauth.headless import adapter as headless_adapter
from django.conf import settings
from django.core import exceptions
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from auction_project.accounts import (
    devices,
    identity,
    metrics,
    models,
    notices,
    services,
    sessions,
    staff,
)
from auction_project.kernel import errors, logs
from auction_project.kernel.http import problems

log = logs.get(__name__)


class HeadlessAdapter(headless_adapter.DefaultHeadlessAdapter):
    """The links in mails."""

    def get_frontend_url(self, urlname: str, **parts: str) -> str | None:
        """Every link in a mail begins with PUBLIC_URL, because any client can choose the Host header."""
        if urlname == "account_reset_password_from_key":
            uid, _, key = parts["key"].partition("-")
            parts = {"uidb36": uid, "key": key}
        try:
            return f"{site()}{reverse(urlname, kwargs=parts)}"
        except NoReverseMatch:
            return None


class AccountAdapter(adapter.DefaultAccountAdapter):
    """The hooks that allauth calls for pages and programs alike."""

    error_messages = adapter.DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": "Wrong e-mail address or password.",
        "incorrect_password": "Wrong password.",
        "enter_current_password": "Enter your current password.",
        "too_many_login_attempts": "Too many attempts. Wait a few minutes, then try again.",
        "rate_limited": "Too many attempts. Wait a few minutes, then try again.",
        "email_taken": "There is an account with this e-mail address already.",
        "duplicate_email": "This is already the e-mail address of your account.",
    }

    # --- sign-up, address, password ------------------------------------------------------------------------------

    def save_user(
        self, request: HttpRequest, user: models.User, form: Any, commit: bool = True
    ) -> models.User:
        """Sign-up: the account and its event in one transaction."""
        super().save_user(request, user, form, commit=False)
        if commit:
            with _problems_as_answers():
                services.register_account(user=user, now=timezone.now())
        return user

    def respond_email_verification_sent(self, request: HttpRequest, user: models.User | None) -> HttpResponse:
        """Without a user the address has an account already. The answer must not come sooner than for a new address."""
        if user is None:
            services.rehearse_registration(now=timezone.now())
        return super().respond_email_verification_sent(request, user)

    def clean_email(self, email: str) -> str:
        """Refuse an address that is too long, because allauth would cut it off."""
        if len(email) > models.User._meta.get_field("email").max_length:
            raise exceptions.ValidationError("The address is too long.", code="max_length")
        return super().clean_email(email)

    def confirm_email(self, request: HttpRequest, email_address: allauth_models.EmailAddress) -> bool:
        """Verification: the address, the account and its event in one transaction."""
        confirm = functools.partial(super().confirm_email, request, email_address)
        with _problems_as_answers():
            return services.confirm_email(user_id=email_address.user_id, confirm=confirm, now=timezone.now())

    def set_password(self, user: models.User, password: str) -> None:
        """A new password, by its owner who is signed in."""
        is_change = user.has_usable_password()
        self._change_password(user, password, notices.PASSWORD_CHANGED if is_change else notices.PASSWORD_SET)

    def reset_password(self, user: models.User, password: str) -> None:
        """A new password, by a link in a mail to its owner, who may be signed in."""
        self._change_password(user, password, notices.PASSWORD_RESET)

    def _change_password(self, user: models.User, password: str, notice: str) -> None:
        """The password and the notice about it in one transaction."""
        ip = self.get_client_ip(self.request)
        services.change_password(user=user, password=password, now=timezone.now(), notice=notice, ip=ip)

    # --- signing in and out --------------------------------------------------------------------------------------

    def login(self, request: HttpRequest, user: models.User) -> None:
        is_known, ip = devices.is_known(request, user.email), self.get_client_ip(request)
        super().login(request, user)
        devices.remember(request, user.email)
        identity.record_sign_in(
            user_id=user.pk, device=devices.name_device(request), address=ip, now=timezone.now()
        )
        staff.begin(request.session, user, now=timezone.now())
        metrics.LOGINS.labels("succeeded").inc()
        log.info("login_succeeded", user_id=user.pk, ip=ip, known_device=is_known)

    def post_login(self, request: HttpRequest, user: models.User, **more: Any) -> HttpResponse:
        response = super().post_login(request, user, **more)
        sessions.end_oldest(user_id=user.pk, now=timezone.now())
        return response

    def logout(self, request: HttpRequest) -> None:
        key = request.session.session_key
        if request.user.is_authenticated and key:
            sessions.end(user_id=request.user.pk, session_keys=[key], reason="signed_out", now=timezone.now())
        super().logout(request)

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        try:
            super().pre_authenticate(request, **credentials)
        except exceptions.ValidationError:
            self._log_attempt("locked", request, **credentials)
            raise

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        self._log_attempt("failed", request, **credentials)

    def _log_attempt(self, outcome: str, request: HttpRequest, **credentials: Any) -> None:
        """Log a hash of the address: it may hold a mistyped password, and a hash is enough to see a pattern."""
        tried = hashlib.sha256(credentials.get("email", "").lower().encode()).hexdigest()[:16]
        metrics.LOGINS.labels(outcome).inc()
        log.warning(f"login_{outcome}", tried=tried, ip=self.get_client_ip(request))

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Count failures by account and known device. allauth counts by the Host header, too, so that each made-up port
        has a limit of its own.
        """
        email = credentials.get("email", "").lower()
        return f"{email}:{devices.of(request, email)}"

    # --- mail ----------------------------------------------------------------------------------------------------

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        with _problems_as_answers():
            self.deliver(template_prefix, email, context)

    def deliver(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send one mail. Needs no request, so that a task can send one, too. Raises Unavailable."""
        message = self.render_mail(template_prefix, email, context | {"email": email, "site": site()})
        try:
            message.send()
        except (smtplib.SMTPException, OSError) as error:
            metrics.MAILS_NOT_SENT.labels(template_prefix).inc()
            log.error("mail_not_sent", template=template_prefix, error=repr(error))
            raise errors.Unavailable("The mail server is unavailable. Try again shortly.") from error

    def send_notification_mail(
        self,
        template_prefix: str,
        user: models.User,
        context: dict[str, Any] | None = None,
        email: str | None = None,
    ) -> None:
        """Write a security notice: allauth calls this for a new address inside the transaction of the change."""
        if template_prefix not in notices.WRITTEN_WITH_THE_CHANGE:
            notices.write(
                user=user,
                template=template_prefix,
                ip=self.get_client_ip(self.request),
                now=timezone.now(),
                email=email or "",
                figures=context,
            )


def site() -> str:
    """PUBLIC_URL without a slash at its end: every link in a mail begins with it."""
    return str(settings.PUBLIC_URL).rstrip("/")


@contextlib.contextmanager
def _problems_as_answers() -> Iterator[None]:
    """End one of allauth's flows with the problem as its answer, because allauth does not know our errors."""
    try:
        yield
    except errors.DomainError as error:
        raise allauth_exceptions.ImmediateHttpResponse(problems.response(error)) from error
