"""`manage.py doctor` as people and scripts run it: with all stores, with one that hangs, and with none."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings

PASSWORD = "a-password-to-hide"
PRODUCTION = {"DJANGO_SETTINGS_MODULE": "auction_project.settings.production"}


def run(*options: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "doctor", *options],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "auction_project.settings.base", **(environment or {})},
        capture_output=True,
        text=True,
        timeout=60,
    )


def outcomes(completed: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return {finding["check"]: finding["outcome"] for finding in json.loads(completed.stdout)["findings"]}


def addresses(port: int) -> dict[str, str]:
    """All stores at one port of this machine."""
    postgres = {
        f"DATABASE_URL_{alias.upper()}": f"postgres://gavel:{PASSWORD}@127.0.0.1:{port}/gavel"
        for alias in settings.DATABASES
    }
    return postgres | {
        "MONGODB_URL": f"mongodb://gavel:{PASSWORD}@127.0.0.1:{port}/",
        "REDIS_URL": f"redis://:{PASSWORD}@127.0.0.1:{port}/0",
        "CELERY_BROKER_URL": f"redis://:{PASSWORD}@127.0.0.1:{port}/1",
        "BANK_URL": f"http://127.0.0.1:{port}",
        "KAFKA_BOOTSTRAP_SERVERS": "",
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": str(port),
    }


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word, as that of a suspended server."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(100)
        yield listening.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


STORES = {
    *(f"postgres:{alias}" for alias in ("default", "inventory", "orders", "notifications", "sagas")),
    *("mongodb", "redis", "broker", "celery", "mail", "payments"),
}


def test_with_everything_down_each_store_has_a_sentence_and_a_next_step(closed_port: int) -> None:
    completed = run(environment=addresses(closed_port))

    assert completed.returncode == 2
    assert completed.stderr == ""
    lines = completed.stdout.splitlines()
    for store in STORES:
        (at,) = [number for number, line in enumerate(lines) if line.split("  ")[0] == store]
        assert "FAIL" in lines[at]
        assert lines[at + 1].strip().startswith("-> ")
    assert f"{len(STORES)} fail" in lines[-1]
    assert PASSWORD not in completed.stdout


def test_with_everything_suspended_it_ends_in_time_and_shows_no_secret(silent_port: int) -> None:
    began = time.monotonic()

    completed = run("--json", environment=addresses(silent_port))

    assert time.monotonic() - began < 20  # two rounds of 2 s, and the start of a busy machine's process
    report: dict[str, Any] = json.loads(completed.stdout)
    assert (completed.returncode, report["exit_code"]) == (2, 2)
    found = outcomes(completed)
    assert {check for check, outcome in found.items() if outcome == "fail"} == STORES
    assert all(finding["seconds"] < 10 for finding in report["findings"])
    assert found["migrations:orders"] == found["consumers"] == found["bid log"] == "skipped"
    assert PASSWORD not in completed.stdout + completed.stderr


def test_settings_that_are_refused_are_sentences_and_no_traceback() -> None:
    completed = run(environment=PRODUCTION | {"SECRET_KEY": "", "MONGODB_URL": ""})

    assert completed.returncode == 2
    assert "MONGODB_URL is not set. Production needs it" in completed.stderr
    assert "Traceback" not in completed.stderr


def test_with_the_stores_up_they_answer_with_versions_and_clocks() -> None:
    completed = run("--json")

    found = outcomes(completed)
    up = STORES - {"mail", "payments"}
    assert {check: found[check] for check in up} == dict.fromkeys(up, "ok")
    assert (found["versions"], found["clock"], found["topics"]) == ("ok", "ok", "ok")
