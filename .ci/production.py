"""Production's settings: `check --deploy` passes with each variable of .env.example at a real value, and each refusal
happens.

Each refusal is tried with the rest of the environment complete, and must name its variable.
"""

import base64
import os
import secrets
import subprocess
import sys
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

ROOT = Path(__file__).resolve().parents[1]


def private_pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def public_pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def new_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


KEY = new_key()
NAMES = ("DEFAULT", "INVENTORY", "ORDERS", "NOTIFICATIONS", "SAGAS")
COMPLETE = {
    "DJANGO_SETTINGS_MODULE": "auction_project.settings.production",
    "SECRET_KEY": "$" + base64.b64encode(secrets.token_bytes(48)).decode(),
    "JWT_PRIVATE_KEY": private_pem(KEY),
    "JWT_PUBLIC_KEY": public_pem(KEY),
    "ALLOWED_HOSTS": "gavel.example",
    "PUBLIC_URL": "https://gavel.example",
    **{
        f"DATABASE_URL_{name}": f"postgres://gavel:{secrets.token_urlsafe(16)}@db.example/{name.lower()}"
        for name in NAMES
    },
    "MONGODB_URL": "mongodb://gavel:secret@mongo.example/",
    "REDIS_URL": "redis://:secret@redis.example/0",
    "CELERY_BROKER_URL": "redis://:secret@redis.example/1",
    "BANK_URL": "https://bank.example",
    "TRUSTED_PROXY_COUNT": "1",
    "BANK_API_KEY": secrets.token_urlsafe(40),
    "DEFAULT_FROM_EMAIL": "Gavel <auctions@gavel.example>",
    "EMAIL_HOST": "smtp.example",
}
# What a site with everything sets: TLS everywhere, SASL, a rotation under way.
EVERYTHING = {
    **COMPLETE,
    "SECRET_KEY_FALLBACKS": secrets.token_urlsafe(50),
    "CSRF_TRUSTED_ORIGINS": "https://other.example",
    "TRUSTED_PROXY_COUNT": "1",
    "STREAMS_PER_ADDRESS": "100",
    "STREAMS_PER_SECOND": "10",
    "ANONYMOUS_REQUESTS_PER_SECOND": "20",
    "USER_REQUESTS_PER_SECOND": "20",
    "AUCTIONS_PER_HOUR": "100",
    "BIDS_PER_SECOND": "5",
    "SIGN_INS_PER_MINUTE": "30",
    "GATEWAY_MAX_CONNECTIONS": "50000",
    "SERVICES": "accounts,bidding,inventory,orders,notifications,sagas",
    "DEBUG": "false",
    "JWT_PRIVATE_KEY": private_pem(KEY).replace("\n", "\\n"),
    "JWT_SECOND_PUBLIC_KEY": public_pem(new_key()),
    **{
        f"DATABASE_URL_{name}": f"postgres://gavel:p%40ss@db.example/{name.lower()}"
        "?sslmode=verify-full&sslrootcert=/etc/gavel/ca.pem"
        for name in NAMES
    },
    "DATABASE_POOL_SIZE": "4",
    "SHOP_CACHE": "false",
    "MONGODB_URL": "mongodb://gavel:secret@m1.example,m2.example/?replicaSet=gavel&tls=true&tlsCAFile=/etc/gavel/ca.pem",
    "MONGODB_DATABASE": "gavel",
    "REDIS_URL": "rediss://gavel:secret@redis.example/0?ssl_ca_certs=/etc/gavel/ca.pem",
    "CELERY_BROKER_URL": "rediss://gavel:secret@redis.example/1?ssl_ca_certs=/etc/gavel/ca.pem",
    "KAFKA_BOOTSTRAP_SERVERS": "kafka.example:9093",
    "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    "KAFKA_SASL_USERNAME": "gavel",
    "KAFKA_SASL_PASSWORD": "secret",
    "KAFKA_SSL_CA_FILE": "/etc/gavel/ca.pem",
    "KAFKA_SSL_CERT_FILE": "/etc/gavel/client.pem",
    "KAFKA_SSL_KEY_FILE": "/etc/gavel/client.key",
    "KAFKA_SSL_KEY_PASSWORD": "secret",
    "EVENTS_NAMESPACE": "gavel",
    "BANK_TIMEOUT_SECONDS": "1.5",
    "PAYMENT_CALLS_IN_FLIGHT": "16",
    "CHECKOUT_MINUTES": "20",
    "RETURN_DAYS": "30",
    "RETURN_DECIDE_DAYS": "5",
    "SHIPPING": '{"EUR": {"flat": "4.90", "free_from": "50.00"}}',
    "RISK_LIMIT": "60",
    "RISK_NEW_ACCOUNT_HOURS": "24",
    "RISK_NEW_ACCOUNT_POINTS": "30",
    "RISK_YOUNG_ACCOUNT_DAYS": "30",
    "RISK_YOUNG_ACCOUNT_POINTS": "10",
    "RISK_UNVERIFIED_POINTS": "30",
    "RISK_DECLINED_DAYS": "30",
    "RISK_DECLINED_POINTS": "20",
    "RISK_DECLINED_MAX_POINTS": "60",
    "RISK_PAID_POINTS": "-5",
    "RISK_PAID_MAX_POINTS": "-25",
    "RISK_VELOCITY_MINUTES": "10",
    "RISK_VELOCITY_SALES": "10",
    "RISK_VELOCITY_POINTS": "20",
    "RISK_RUSH_SALES": "30",
    "RISK_RUSH_POINTS": "40",
    "RISK_NEW_DEVICE_HOURS": "24",
    "RISK_NEW_DEVICE_POINTS": "10",
    "RISK_KNOWN_DEVICE_DAYS": "90",
    "RISK_KNOWN_DEVICE_POINTS": "-10",
    "RISK_LINKED_POINTS": "10",
    "RISK_LINKED_MAX_POINTS": "30",
    "RISK_OVERRIDE_MAX_HOURS": "72",
    "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
    "EMAIL_FILE_PATH": "/var/lib/gavel/mail",
    "EMAIL_PORT": "465",
    "EMAIL_HOST_USER": "gavel",
    "EMAIL_HOST_PASSWORD": "secret",
    "EMAIL_USE_TLS": "false",
    "EMAIL_USE_SSL": "true",
    "TIME_ZONE": "Europe/Berlin",
    "MEDIA_ROOT": "/var/lib/gavel/media",
    "SERVE_STATIC_FROM_SOURCE": "false",
    "EVENTS_KEEP_DAYS": "14",
    "DEAD_LETTERS_KEEP_DAYS": "30",
    "EMAILS_KEEP_DAYS": "30",
    "PERSONAL_DATA_VIEWS_KEEP_DAYS": "730",
    "DEVICES_KEEP_DAYS": "180",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector.example:4318",
    "OTEL_EXPORTER_OTLP_HEADERS": "api-key=secret",
    "OTEL_EXPORTER_OTLP_CERTIFICATE": "/etc/gavel/ca.pem",
    "OTEL_TRACES_SAMPLER_ARG": "0.01",
    "TRACE_VIEWER_URL": "https://jaeger.example/trace/{trace_id}",
    "LOGIN_RATE_LIMIT": "10/m/ip,100/h/ip",
    "STAFF_SECOND_FACTOR": "true",
    "SIGNUP_RATE_LIMIT": "5/m/ip",
    "GAVEL_LOG_LEVEL": "INFO",
    "GAVEL_LOG_FORMAT": "json",
    "GAVEL_HEALTH_HOST": "127.0.0.1",
    "GAVEL_HEALTH_PORT": "8001",
    "GAVEL_COPY": "site-2",
    "GAVEL_VAR_DIR": "/var/lib/gavel",
    "SECURE_SSL_REDIRECT": "true",
    "SECURE_HSTS_SECONDS": "31536000",
}
TESTS_ONLY = {"GAVEL_DEMO", "GAVEL_SERVICE_CONTROL", "GAVEL_FAILPOINTS", "GAVEL_CHROMIUM", "GAVEL_TEST_LOGS"}
# What is accepted, too: sockets without passwords, and one machine without TLS.
ACCEPTED = (
    {"DATABASE_URL_ORDERS": "postgres://gavel@//var/run/postgresql/gavel_orders"},
    {"MONGODB_URL": "mongodb://%2Fvar%2Frun%2Fmongodb.sock/", "REDIS_URL": "unix:///var/run/redis.sock?db=0"},
    {"CELERY_BROKER_URL": "redis+socket:///var/run/redis.sock?virtual_host=1"},
    {"PUBLIC_URL": "http://localhost:8000", "ALLOWED_HOSTS": "localhost", "SECURE_SSL_REDIRECT": "false"},
)
WEAK, CURVE = new_key(1024), ec.generate_private_key(ec.SECP256R1())
# The variable that the refusal must name, and what is set.
REFUSED: tuple[tuple[str, dict[str, str]], ...] = (
    *((name, {name: ""}) for name in sorted(set(COMPLETE) - {"DJANGO_SETTINGS_MODULE"})),
    ("SECRET_KEY", {"SECRET_KEY": "short"}),
    ("SECRET_KEY_FALLBACKS", {"SECRET_KEY_FALLBACKS": "short"}),
    ("BANK_API_KEY", {"BANK_API_KEY": "a" * 40}),
    ("JWT_PRIVATE_KEY", {"JWT_PRIVATE_KEY": private_pem(WEAK), "JWT_PUBLIC_KEY": public_pem(WEAK)}),
    ("JWT_PUBLIC_KEY", {"JWT_PUBLIC_KEY": public_pem(WEAK)}),
    ("JWT_PUBLIC_KEY", {"JWT_PUBLIC_KEY": public_pem(CURVE)}),
    ("JWT_SECOND_PUBLIC_KEY", {"JWT_SECOND_PUBLIC_KEY": public_pem(WEAK)}),
    ("JWT_SECOND_PUBLIC_KEY", {"JWT_SECOND_PUBLIC_KEY": "nonsense"}),
    ("ALLOWED_HOSTS", {"ALLOWED_HOSTS": "*"}),
    ("ALLOWED_HOSTS", {"ALLOWED_HOSTS": ".gavel.example"}),
    ("ALLOWED_HOSTS", {"ALLOWED_HOSTS": "elsewhere.example"}),
    *(
        ("PUBLIC_URL", {"PUBLIC_URL": url, "ALLOWED_HOSTS": "gavel.example,localhost"})
        for url in (
            "http://gavel.example",
            "http://localhost:8000",
            "javascript:alert(1)",
            "https://gavel.example/shop",
            "https://gavel.example/",
            "https://gavel.example?x=1",
            "https://user@gavel.example",
            "gavel.example",
        )
    ),
    *((f"DATABASE_URL_{name}", {f"DATABASE_URL_{name}": "postgres://gavel@db.example/x"}) for name in NAMES),
    ("DATABASE_URL_ORDERS", {"DATABASE_URL_ORDERS": "sqlite:///orders.sqlite3"}),
    ("MONGODB_URL", {"MONGODB_URL": "mongodb://mongo.example/"}),
    ("MONGODB_URL", {"MONGODB_URL": "mongodb://gavel:secret@mongo.example/?tls=true&tlsInsecure=true"}),
    ("REDIS_URL", {"REDIS_URL": "redis://redis.example/0"}),
    ("REDIS_URL", {"REDIS_URL": "redis://gavel@redis.example/0"}),
    ("REDIS_URL", {"REDIS_URL": "rediss://:secret@redis.example/0?ssl_cert_reqs=none"}),
    ("CELERY_BROKER_URL", {"CELERY_BROKER_URL": "redis://redis.example/1"}),
    ("KAFKA_SECURITY_PROTOCOL", {"KAFKA_SECURITY_PROTOCOL": "TLS"}),
    ("KAFKA_SASL_USERNAME", {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_PASSWORD": "secret"}),
    ("KAFKA_SECURITY_PROTOCOL", {"KAFKA_SASL_USERNAME": "gavel", "KAFKA_SASL_PASSWORD": "secret"}),
    ("KAFKA_SECURITY_PROTOCOL", {"KAFKA_SSL_CA_FILE": "/etc/gavel/ca.pem"}),
    ("DEFAULT_FROM_EMAIL", {"DEFAULT_FROM_EMAIL": "Gavel <auctions@localhost>"}),
    ("EMAIL_USE_TLS", {"EMAIL_USE_TLS": "true", "EMAIL_USE_SSL": "true"}),
    ("EMAIL_HOST_PASSWORD", {"EMAIL_HOST_USER": "gavel"}),
    (
        "EMAIL_HOST_PASSWORD",
        {"EMAIL_HOST_USER": "gavel", "EMAIL_HOST_PASSWORD": "secret", "EMAIL_USE_TLS": "false"},
    ),
    ("EMAIL_PORT", {"EMAIL_PORT": "smtp"}),
    ("LOGIN_RATE_LIMIT", {"LOGIN_RATE_LIMIT": ""}),
    ("LOGIN_RATE_LIMIT", {"LOGIN_RATE_LIMIT": "0/m/ip"}),
    ("SIGNUP_RATE_LIMIT", {"SIGNUP_RATE_LIMIT": "often"}),
    ("EVENTS_KEEP_DAYS", {"EVENTS_KEEP_DAYS": "1"}),
    ("EMAILS_KEEP_DAYS", {"EMAILS_KEEP_DAYS": "1"}),
    ("DEAD_LETTERS_KEEP_DAYS", {"DEAD_LETTERS_KEEP_DAYS": "0"}),
    ("PERSONAL_DATA_VIEWS_KEEP_DAYS", {"PERSONAL_DATA_VIEWS_KEEP_DAYS": "0"}),
    ("DEVICES_KEEP_DAYS", {"DEVICES_KEEP_DAYS": "29"}),
    ("DEVICES_KEEP_DAYS", {"RISK_KNOWN_DEVICE_DAYS": "366"}),
    ("RISK_LIMIT", {"RISK_LIMIT": "0"}),
    ("RISK_RUSH_SALES", {"RISK_RUSH_SALES": "10"}),
    ("DATABASE_POOL_SIZE", {"DATABASE_POOL_SIZE": "8  # connections"}),
    ("SECURE_SSL_REDIRECT", {"SECURE_SSL_REDIRECT": "enabled"}),
    ("TRUSTED_PROXY_COUNT", {"TRUSTED_PROXY_COUNT": "0"}),
    ("DEBUG", {"DEBUG": "true"}),
    ("GAVEL_DEMO", {"GAVEL_DEMO": "true"}),
    ("GAVEL_FAILPOINTS", {"GAVEL_FAILPOINTS": "relay.before_mark=kill"}),
)
_START = "from django.conf import settings; settings.SECRET_KEY"
_FAILURE = "django.core.exceptions.ImproperlyConfigured: "


def run(arguments: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def check_deploy(environment: dict[str, str]) -> str:
    """What is wrong with a start in `environment`; empty: nothing."""
    answer = run(["manage.py", "check", "--deploy", "--fail-level", "WARNING"], environment)
    return f"{answer.stdout}\n{answer.stderr}" if answer.returncode else ""


def refusal(changed: dict[str, str]) -> str:
    """Why production does not start with `changed`; empty: it starts."""
    answer = run(["-c", _START], {**COMPLETE, **changed})
    return answer.stderr.rpartition(_FAILURE)[2].strip() if answer.returncode else ""


def unknown_variables() -> set[str]:
    """The variables that only one of .env.example and this file names."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    named = {line.partition("=")[0] for line in lines if line and not line.startswith("#")}
    return named ^ (set(EVERYTHING) - {"DJANGO_SETTINGS_MODULE"} | TESTS_ONLY)


def main() -> int:
    if differing := unknown_variables():
        print(f".env.example and .ci/production.py differ in {sorted(differing)}")
        return 1
    for name, environment in (("what is needed", COMPLETE), ("all that there is", EVERYTHING)):
        if wrong := check_deploy(environment):
            print(f"with {name} set, check --deploy fails:\n{wrong}")
            return 1
        print(f"with {name} set, check --deploy passes")
    for changed in ACCEPTED:
        if wrong := refusal(changed):
            print(f"{changed} is refused: {wrong}")
            return 1
    for name, changed in REFUSED:
        message = refusal(changed)
        if name not in message:
            print(f"{changed} is not refused by name: {message!r}")
            return 1
        print(f"refused: {message.splitlines()[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
