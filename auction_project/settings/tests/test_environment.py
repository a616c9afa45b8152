"""What a site writes is what the settings hold: the copied example, empty variables, `$`, TLS and keys."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from auction_project.settings import environment

ROOT = Path(__file__).resolve().parents[3]
STARTS = (
    "import django; django.setup(); from django.core.management import call_command; call_command('check')"
)


def _run(script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    base = {"DJANGO_SETTINGS_MODULE": "auction_project.settings.base"}
    return subprocess.run(
        ["bash", "-c", script],
        cwd=ROOT,
        env={**kept, **base, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def _setting(expression: str, **variables: str) -> str:
    script = f'"{sys.executable}" -c "from django.conf import settings; print({expression})"'
    answer = _run(script, **variables)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


@pytest.mark.parametrize("how", ["sourced", "read"])
def test_a_copy_of_the_example_starts_in_development_with_its_defaults(tmp_path: Path, how: str) -> None:
    copy = tmp_path / ".env"
    shutil.copy(ROOT / ".env.example", copy)
    read = f"import environ; environ.Env.read_env('{copy}'); " if how == "read" else ""
    source = f"set -a; . '{copy}'; set +a; " if how == "sourced" else ""
    shown = "print(s.DATABASE_POOL['max_size'], s.DEFAULT_FROM_EMAIL, s.EMAIL_PORT, s.REDIS_URL)"
    program = f"{read}{STARTS}; from django.conf import settings as s; {shown}"

    answer = _run(f'{source}"{sys.executable}" -c "{program}"', GAVEL_VAR_DIR=str(tmp_path))

    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[-1] == "8 Gavel <auctions@localhost> 587 redis://127.0.0.1:6379/0"


def test_an_empty_variable_is_unset_and_a_dollar_is_a_character(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.setenv("PASSWORD", r"$HOME\$x$")
    env = environment.Env()

    assert env.str("EMPTY", default="default") == "default"
    assert env.str("PASSWORD") == r"$HOME\$x$"


@pytest.mark.parametrize(
    ("value", "read"), [("8  # connections", "int"), ("enabled", "bool"), ("a,b", "float")]
)
def test_what_cannot_be_read_is_refused_with_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, value: str, read: str
) -> None:
    monkeypatch.setenv("GAVEL_FIGURE", value)

    with pytest.raises(ImproperlyConfigured, match=r"^GAVEL_FIGURE cannot be read"):
        getattr(environment.Env(), read)("GAVEL_FIGURE")


def test_tls_of_a_database_comes_from_its_url() -> None:
    url = "postgres://gavel:p%40ss@db.example/orders?sslmode=verify-full&sslrootcert=/etc/gavel/ca.pem"

    shown = _setting(
        "[(d['PASSWORD'], d['OPTIONS']['sslmode'], d['OPTIONS']['sslrootcert'], d['OPTIONS']['connect_timeout'])"
        " for d in [settings.DATABASES['orders']]]",
        DATABASE_URL_ORDERS=url,
    )

    assert shown == "[('p@ss', 'verify-full', '/etc/gavel/ca.pem', 2)]"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "localhost 587 True False"),
        ({"EMAIL_HOST": "smtp.example", "EMAIL_USE_SSL": "true"}, "smtp.example 465 False True"),
        ({"EMAIL_PORT": "1025", "EMAIL_USE_TLS": "false"}, "localhost 1025 False False"),
    ],
)
def test_mail_is_encrypted_unless_a_site_says_otherwise(variables: dict[str, str], expected: str) -> None:
    names = ("EMAIL_HOST", "EMAIL_PORT", "EMAIL_USE_TLS", "EMAIL_USE_SSL")

    assert _setting(", ".join(f"settings.{name}" for name in names), **variables) == expected


def test_kafka_gets_what_is_set_and_nothing_else() -> None:
    assert _setting("settings.KAFKA_OPTIONS", KAFKA_SASL_PASSWORD="") == "{}"
    assert _setting(
        "settings.KAFKA_OPTIONS",
        KAFKA_SECURITY_PROTOCOL="SASL_SSL",
        KAFKA_SASL_PASSWORD="se$ret",
        KAFKA_SSL_CA_FILE="/etc/gavel/ca.pem",
    ) == str(
        {
            "security.protocol": "SASL_SSL",
            "sasl.password": "se$ret",
            "ssl.ca.location": "/etc/gavel/ca.pem",
        }
    )
