"""Production: refuses to start, naming the variable, when something is missing, weak or meant for tests."""

import os
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

from auction_project import failpoints, logs

_REQUIRED = (
    "SECRET_KEY",
    "JWT_PUBLIC_KEY",
    "ALLOWED_HOSTS",
    "DATABASE_URL_DEFAULT",
    "DATABASE_URL_INVENTORY",
    "DATABASE_URL_ORDERS",
    "DATABASE_URL_NOTIFICATIONS",
    "DATABASE_URL_SAGAS",
    "MONGODB_URL",
    "REDIS_URL",
    "CELERY_BROKER_URL",
    "BANK_URL",
    "BANK_API_KEY",
    "PUBLIC_URL",
)
_SECRETS = ("SECRET_KEY", "BANK_API_KEY")
_MIN_SECRET_CHARACTERS = 32


def _refuse_incomplete() -> None:
    for name in _REQUIRED:
        if not os.environ.get(name):
            raise ImproperlyConfigured(f"{name} is not set: production needs it (see .env.example)")


# Before the base settings, which make a developer's keys for what is missing.
environ.Env.read_env(Path(__file__).resolve().parents[2] / ".env")
_refuse_incomplete()

from auction_project.settings.base import *  # noqa: E402, F403
from auction_project.settings.base import ALLOWED_HOSTS, DEBUG, LOG_LEVEL, SERVICES, env  # noqa: E402


def _refuse_unsafe() -> None:
    if "accounts" in SERVICES and not os.environ.get("JWT_PRIVATE_KEY"):
        raise ImproperlyConfigured(
            "JWT_PRIVATE_KEY is not set: the service accounts signs with it (see .env.example)"
        )
    for name in _SECRETS:
        value = os.environ[name]
        if len(value) < _MIN_SECRET_CHARACTERS or len(set(value)) < 8:
            raise ImproperlyConfigured(
                f"{name} is weak: use at least {_MIN_SECRET_CHARACTERS} random characters"
            )
    if DEBUG:
        raise ImproperlyConfigured("DEBUG is on: production must not show its insides")
    if any("*" in host or host.startswith(".") for host in ALLOWED_HOSTS):
        raise ImproperlyConfigured("ALLOWED_HOSTS holds a wildcard: name each host")
    if os.environ.get(failpoints.VARIABLE):
        raise ImproperlyConfigured(f"{failpoints.VARIABLE} is set: failpoints are for tests")


_refuse_unsafe()

SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
STAFF_SECOND_FACTOR = env.bool("STAFF_SECOND_FACTOR", default=True)
CSRF_COOKIE_SECURE = True
SERVESTATIC_USE_FINDERS = False
EMAIL_BACKEND = env.str("EMAIL_BACKEND", default="django.core.mail.backends.smtp.EmailBackend")
logs.configure(json=env.str("GAVEL_LOG_FORMAT", default="json") == "json", level=LOG_LEVEL)
