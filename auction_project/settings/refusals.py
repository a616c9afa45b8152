"""What production refuses to start with. Each finding names its variable and the next step; all of them come at once.

One exception: a store behind a Unix socket needs no password, because the file system says who may open it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib import parse

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.exceptions import ImproperlyConfigured

from auction_project.kernel import databases, failpoints

REQUIRED = (
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
    "DEFAULT_FROM_EMAIL",
)
MIN_SECRET_CHARACTERS = 32
MIN_SECRET_DISTINCT = 8
MIN_RSA_BITS = 2048
SMTP = "django.core.mail.backends.smtp.EmailBackend"
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
_SOCKET_SCHEMES = ("unix", "redis+socket")
_UNVERIFIED = {
    ("ssl_cert_reqs", "none"),
    ("ssl_cert_reqs", "cert_none"),
    ("tlsinsecure", "true"),
    ("tlsallowinvalidcertificates", "true"),
}
# A day for what verify looks back, or for what is still on its way, and one to keep.
_MIN_DAYS = {
    "EVENTS_KEEP_DAYS": 2,
    "EMAILS_KEEP_DAYS": 2,
    "DEAD_LETTERS_KEEP_DAYS": 1,
    "PERSONAL_DATA_VIEWS_KEEP_DAYS": 1,
}
_KAFKA_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_RATES = re.compile(r"([1-9]\d*/\d*[smhd]/(ip|user|key))(,[1-9]\d*/\d*[smhd]/(ip|user|key))*")


def refuse_incomplete(environment: Mapping[str, str]) -> None:
    """Raises ImproperlyConfigured: the base settings would put a developer's value for what is missing."""
    _refuse(
        f"{name} is not set. Production needs it: see its line in .env.example."
        for name in REQUIRED
        if not environment.get(name)
    )


def refuse_unsafe(environment: Mapping[str, str], settings: Mapping[str, Any]) -> None:
    """Raises ImproperlyConfigured. `environment` is complete, and `settings` were made of it."""
    _refuse(
        finding
        for find in (_secrets, _signing_keys, _addresses, _databases, _stores, _kafka, _mail, _limits, _tests)
        for finding in find(environment, settings)
    )


def _refuse(findings: Iterator[str]) -> None:
    if refused := list(findings):
        raise ImproperlyConfigured("\n".join(refused))


def _secrets(environment: Mapping[str, str], settings: Mapping[str, Any]) -> Iterator[str]:
    secrets = [("SECRET_KEY", settings["SECRET_KEY"]), ("BANK_API_KEY", settings["BANK_API_KEY"])]
    secrets += [("SECRET_KEY_FALLBACKS", fallback) for fallback in settings["SECRET_KEY_FALLBACKS"]]
    for name, value in secrets:
        if len(value) < MIN_SECRET_CHARACTERS or len(set(value)) < MIN_SECRET_DISTINCT:
            yield (
                f"{name} is weak. Use at least {MIN_SECRET_CHARACTERS} random characters, such as those of "
                "`openssl rand -base64 48`."
            )


def _signing_keys(environment: Mapping[str, str], settings: Mapping[str, Any]) -> Iterator[str]:
    if "accounts" in settings["SERVICES"] and not environment.get("JWT_PRIVATE_KEY"):
        yield "JWT_PRIVATE_KEY is not set. The service accounts signs tokens with it: see its line in .env.example."
    for name in ("JWT_PRIVATE_KEY", "JWT_PUBLIC_KEY", "JWT_SECOND_PUBLIC_KEY"):
        if pem := settings[name]:
            yield from _key(name, pem.encode())


def _key(name: str, pem: bytes) -> Iterator[str]:
    make = f"Make one with `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:{MIN_RSA_BITS}`."
    try:
        key: Any = (
            serialization.load_pem_private_key(pem, password=None)
            if name == "JWT_PRIVATE_KEY"
            else serialization.load_pem_public_key(pem)
        )
    except (ValueError, TypeError) as error:
        yield f"{name} is no key in PEM ({error}). Write its line breaks as \\n. {make}"
        return
    if not isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey):
        yield f"{name} is no RSA key, and access tokens are signed with RS256. {make}"
    elif key.key_size < MIN_RSA_BITS:
        yield f"{name} has {key.key_size} bits, and fewer than {MIN_RSA_BITS} are too weak. {make}"


def _addresses(environment: Mapping[str, str], settings: Mapping[str, Any]) -> Iterator[str]:
    hosts = settings["ALLOWED_HOSTS"]
    if any("*" in host or host.startswith(".") for host in hosts):
        yield "ALLOWED_HOSTS holds a wildcard. Name each host."
    url = parse.urlsplit(settings["PUBLIC_URL"])
    host = url.hostname or ""
    is_local = host in _LOCAL_HOSTS and environment.get("SECURE_SSL_REDIRECT", "").lower() == "false"
    if url.scheme != "https" and not (url.scheme == "http" and is_local):
        yield (
            "PUBLIC_URL must begin with https://, because links in mails begin with it. (http://localhost is taken "
            "together with SECURE_SSL_REDIRECT=false, on one machine.)"
        )
    if not host or url.path or url.query or url.fragment or url.username is not None:
        yield "PUBLIC_URL has more than a scheme and a host. Write https://gavel.example: no path, no user, no final slash."
    if host and host not in [allowed.strip("[]") for allowed in hosts]:
        yield f"PUBLIC_URL leads to {host}, which ALLOWED_HOSTS does not name. Add it there."
    if (
        environment.get("SECURE_SSL_REDIRECT", "true").lower() != "false"
        and not settings["TRUSTED_PROXY_COUNT"]
    ):
        yield (
            "TRUSTED_PROXY_COUNT is 0: without a trusted proxy every request looks like plain HTTP and is redirected for "
            "ever. Say how many proxies stand in front, or set SECURE_SSL_REDIRECT=false."
        )


def _databases(environment: Mapping[str, str], settings: Mapping[str, Any]) -> Iterator[str]:
    for alias, database in settings["DATABASES"].items():
        name = f"DATABASE_URL_{alias.upper()}"
        if database["ENGINE"] != databases.ENGINE:
            yield f"{name} is no PostgreSQL address. It looks like postgres://user:password@host:5432/name."
        elif not database["PASSWORD"] and not database["HOST"].startswith("/"):
            yield f"{name} has no password. Give its user one, and write postgres://user:password@host:5432/name."


def _stores(environment: Mapping[str, str], settings: Mapping[str, Any]) -> Iterator[str]:
    for name in ("MONGODB_URL", "REDIS_URL", "CELERY_BROKER_URL"):
        url = parse.urlsplit(settings[name])
        place = url.netloc.rpartition("@")[2]
        by_socket = url.scheme in _SOCKET_SCHEMES or place.lower().startswith("%2f")
        if not url.password and not by_socket:
            yield f"{name} has no password. Give its user one, and write {url.scheme}://user:password@host…"
        options = {(key.lower(), value.lower()) for key, value in parse.parse_qsl(url.query)}
        if options & _UNVERIFIED:
            yield f"{name} verifies no certificate. Name your authority's file instead: see .env.example."


def _kafka(environment: Mapping[str, str], settings: Mapping[str, Any]) -> Iterator[str]:
    options = settings["KAFKA_OPTIONS"]
    protocol = options.get("security.protocol", "PLAINTEXT").upper()
    if protocol not in _KAFKA_PROTOCOLS:
        yield f"KAFKA_SECURITY_PROTOCOL is {protocol}. Choose one of {', '.join(_KAFKA_PROTOCOLS)}."
    sasl = {option for option in options if option.startswith("sasl.")}
    if protocol.startswith("SASL") and not {"sasl.username", "sasl.password"} <= sasl:
        yield f"KAFKA_SECURITY_PROTOCOL is {protocol}. Set KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD, too."
    if sasl and not protocol.startswith("SASL"):
        yield "KAFKA_SECURITY_PROTOCOL uses no SASL, so KAFKA_SASL_… does nothing. Choose SASL_SSL."
    if any(option.startswith("ssl.") for option in options) and not protocol.endswith("SSL"):
        yield "KAFKA_SECURITY_PROTOCOL uses no TLS, so KAFKA_SSL_… does nothing. Choose SSL or SASL_SSL."


def _mail(environment: Mapping[str, str], settings: Mapping[str, Any]) -> Iterator[str]:
    address = settings["DEFAULT_FROM_EMAIL"].rpartition("<")[2].rstrip("> ")
    if not address.partition("@")[2] or address.endswith("@localhost"):
        yield "DEFAULT_FROM_EMAIL holds no address that mail can come from. Write Gavel <auctions@your.domain>."
    if settings["EMAIL_BACKEND"] != SMTP:
        return
    if not environment.get("EMAIL_HOST"):
        yield "EMAIL_HOST is not set. Without a mail server no address can be verified: name your SMTP server."
    encrypts = settings["EMAIL_USE_TLS"] or settings["EMAIL_USE_SSL"]
    if settings["EMAIL_USE_TLS"] and settings["EMAIL_USE_SSL"]:
        yield "EMAIL_USE_TLS and EMAIL_USE_SSL exclude each other. STARTTLS (port 587) is EMAIL_USE_TLS."
    if bool(settings["EMAIL_HOST_USER"]) != bool(settings["EMAIL_HOST_PASSWORD"]):
        yield "EMAIL_HOST_USER and EMAIL_HOST_PASSWORD go together. Set both, or neither."
    if settings["EMAIL_HOST_PASSWORD"] and not encrypts:
        yield "EMAIL_HOST_PASSWORD would travel in clear. Set EMAIL_USE_TLS=true or EMAIL_USE_SSL=true."


def _limits(environment: Mapping[str, str], settings: Mapping[str, Any]) -> Iterator[str]:
    for name in ("LOGIN_RATE_LIMIT", "SIGNUP_RATE_LIMIT"):
        limit = environment.get(name)
        if limit is not None and not _RATES.fullmatch(limit):
            yield f"{name} is {limit!r}, which limits nothing. Write it as 30/m/ip, or leave the variable out."
    least_days = _MIN_DAYS | {"DEVICES_KEEP_DAYS": settings["RISK"]["known_device_days"]}
    for name, least in least_days.items():
        if settings[name] < least:
            yield f"{name} is {settings[name]}, which deletes what is still needed. Keep it {least} days or longer."


def _tests(environment: Mapping[str, str], settings: Mapping[str, Any]) -> Iterator[str]:
    if settings["DEBUG"]:
        yield "DEBUG is on, and its pages show secrets. Leave it out."
    if settings["DEMO"]:
        yield "GAVEL_DEMO is on, and shows every mail to everyone. Leave it out."
    if environment.get(failpoints.VARIABLE):
        yield f"{failpoints.VARIABLE} is set. Failpoints are for tests: leave it out."
