"""Keeps secrets out of what people read: errors of drivers may repeat a URL or a password."""

import re
from collections.abc import Iterator
from urllib import parse

from django.conf import settings

HIDDEN = "***"
MIN_CHARACTERS = 4  # a shorter value would hide ordinary words
_USER_INFO = re.compile(r"(?<=://)[^\s/@]+@")
_PASSWORD = re.compile(r"(password|passwd|pwd|secret|token)(\s*[=:]\s*)\S+", re.IGNORECASE)


def redact(text: str) -> str:
    """The text without user names and passwords of URLs, and without any secret of the settings."""
    for secret in sorted(_secrets(), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    text = _USER_INFO.sub(f"{HIDDEN}@", text)
    return _PASSWORD.sub(rf"\1\2{HIDDEN}", text)


def _secrets() -> Iterator[str]:
    values = [
        settings.SECRET_KEY,
        *settings.SECRET_KEY_FALLBACKS,
        settings.BANK_API_KEY,
        settings.JWT_PRIVATE_KEY,
        settings.EMAIL_HOST_PASSWORD,
        *(str(database["PASSWORD"]) for database in settings.DATABASES.values()),
        *(value for option, value in settings.KAFKA_OPTIONS.items() if "password" in option),
    ]
    for url in (settings.MONGODB_URL, settings.REDIS_URL, settings.CELERY_BROKER_URL):
        password = parse.urlsplit(url).password or ""
        values += [password, parse.unquote(password)]
    yield from (value for value in values if len(value) >= MIN_CHARACTERS)
