"""The second factor: codes of an authenticator app (TOTP) and recovery codes, by allauth. Their secrets are stored encrypted."""

import base64
import hashlib

from allauth.account.internal.flows import login as login_flows
from allauth.mfa import adapter
from allauth.mfa import models as mfa_models
from cryptography import fernet
from django.conf import settings
from django.http import HttpRequest

from auction_project.accounts import models


class SecondFactorAdapter(adapter.DefaultMFAAdapter):
    error_messages = adapter.DefaultMFAAdapter.error_messages | {
        "incorrect_code": "Wrong code.",
        "unverified_email": "Confirm your e-mail address first.",
    }

    def encrypt(self, text: str) -> str:
        return _cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _cipher().decrypt(encrypted_text.encode()).decode()


def is_set_up(user: models.User) -> bool:
    return bool(mfa_models.Authenticator.objects.filter(user=user, type=mfa_models.Authenticator.Type.TOTP))


def has_been_shown(request: HttpRequest) -> bool:
    """Whether this session showed it: a session from before it was set up did not."""
    records = login_flows.get_authentication_records(request, request.user)
    return any(record.get("method") == "mfa" for record in records)


def _cipher() -> fernet.MultiFernet:
    """Encrypts under SECRET_KEY, and reads what an earlier key encrypted."""
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    digests = (hashlib.sha256(f"accounts.second_factor:{key}".encode()).digest() for key in keys)
    return fernet.MultiFernet([fernet.Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])
