"""The second factor, by allauth: codes of an authenticator app (TOTP) and recovery codes, whose secrets are encrypted."""

import base64
import hashlib

from allauth.account.internal.flows import login as login_flows
from allauth.mfa import adapter
from allauth.mfa import models as mfa_models
from cryptography import fernet
from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

from auction_project.accounts import models


class SecondFactorAdapter(adapter.DefaultMFAAdapter):
    """Encrypts the secrets before allauth stores them."""

    error_messages = adapter.DefaultMFAAdapter.error_messages | {
        "incorrect_code": "Wrong code.",
        "unverified_email": "Confirm your e-mail address first.",
    }

    def encrypt(self, text: str) -> str:
        return _cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _cipher().decrypt(encrypted_text.encode()).decode()


def is_set_up(user: models.User) -> bool:
    """Whether the account has an authenticator app."""
    return bool(mfa_models.Authenticator.objects.filter(user=user, type=mfa_models.Authenticator.Type.TOTP))


def is_missing(session: SessionBase, user: models.User) -> bool:
    """Whether this session may not do the work of staff, because its user gave no code in it. A session from before the
    set-up has none."""
    if not settings.STAFF_SECOND_FACTOR:
        return False
    request = HttpRequest()
    request.session = session
    records = login_flows.get_authentication_records(request, user)
    return not any(record.get("method") == "mfa" for record in records)


def _cipher() -> fernet.MultiFernet:
    """Encrypts under SECRET_KEY, and decrypts what an earlier SECRET_KEY encrypted, too."""
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    digests = (hashlib.sha256(f"accounts.second_factor:{key}".encode()).digest() for key in keys)
    return fernet.MultiFernet([fernet.Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])
