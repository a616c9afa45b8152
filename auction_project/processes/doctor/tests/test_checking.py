"""How checks run: side by side, bounded, skipped where they make no sense, and without secrets."""

import threading
import time
from collections.abc import Iterator

import pytest

from auction_project.processes.doctor import checking, examination, redaction
from auction_project.processes.doctor.checking import Check, Outcome


@pytest.fixture
def released() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def named(findings: list[checking.Finding]) -> dict[str, tuple[Outcome, str, str]]:
    return {finding.check: (finding.outcome, finding.says, finding.next) for finding in findings}


def test_a_check_that_hangs_fails_in_time_and_holds_up_no_other(released: threading.Event) -> None:
    def hang() -> checking.Verdict:
        released.wait(60)
        return checking.ok("late")

    checks = [
        Check(name="hangs", run=hang, remedy="Start it."),
        Check(name="answers", run=lambda: checking.ok("Well."), remedy=""),
    ]
    began = time.monotonic()

    findings = checking.run(checks, seconds=0.2)

    assert time.monotonic() - began < 10
    assert named(findings) == {
        "hangs": (Outcome.FAIL, "No answer within 0.2 s.", "Start it."),
        "answers": (Outcome.OK, "Well.", ""),
    }


def test_a_check_that_raises_fails_with_its_words_and_its_remedy() -> None:
    def refuse() -> checking.Verdict:
        raise ConnectionError("connection refused\n  and more lines")

    def be_silent() -> checking.Verdict:
        try:
            raise TimeoutError
        except TimeoutError as error:
            raise ConnectionError("MongoDB: ") from error

    findings = checking.run(
        [
            Check(name="refuses", run=refuse, remedy="Start it."),
            Check(name="is silent", run=be_silent, remedy="Start it."),
        ]
    )

    assert named(findings) == {
        "refuses": (Outcome.FAIL, "connection refused", "Start it."),
        "is silent": (Outcome.FAIL, "MongoDB: TimeoutError", "Start it."),
    }


def test_a_check_whose_store_has_failed_is_not_run() -> None:
    ran: list[str] = []

    def note() -> checking.Verdict:
        ran.append("ran")
        return checking.ok("Well.")

    before = checking.run(
        [
            Check(name="redis", run=lambda: checking.fail("Down.", "Start it."), remedy=""),
            Check(name="mongodb", run=lambda: checking.warn("Old.", "Upgrade it."), remedy=""),
        ]
    )
    findings = checking.run(
        [
            Check(name="lag", run=note, remedy="", needs=("mongodb", "redis")),
            Check(name="log", run=note, remedy="", needs=("mongodb",)),
        ],
        before=before,
    )

    assert named(findings)["lag"] == (Outcome.SKIPPED, "It needs redis.", "")
    assert named(findings)["log"] == (Outcome.OK, "Well.", "")
    assert ran == ["ran"]


@pytest.mark.parametrize(
    ("outcomes", "code", "strict_code"),
    [
        ((Outcome.OK, Outcome.SKIPPED), 0, 0),
        ((Outcome.OK, Outcome.WARN), 0, 1),
        ((Outcome.WARN, Outcome.FAIL), 2, 2),
    ],
)
def test_the_exit_code_says_the_worst_outcome(
    outcomes: tuple[Outcome, ...], code: int, strict_code: int
) -> None:
    findings = [
        checking.Finding(check="c", outcome=outcome, says="S.", next="", seconds=0.0) for outcome in outcomes
    ]

    assert examination.exit_code(findings, strict=False) == code
    assert examination.exit_code(findings, strict=True) == strict_code


def test_no_secret_of_the_settings_and_no_password_of_a_url_is_shown(
    settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SECRET_KEY = "the-secret-key-of-the-site"
    settings.EMAIL_HOST_PASSWORD = "mail-pass"
    settings.MONGODB_URL = "mongodb://gavel:p%40ssword@mongo.example/"
    settings.KAFKA_OPTIONS = {"sasl.password": "kafka-pass", "sasl.username": "gavel"}
    monkeypatch.setitem(settings.DATABASES["orders"], "PASSWORD", "orders-pass")

    shown = redaction.redact(
        "the-secret-key-of-the-site mail-pass p@ssword p%40ssword kafka-pass orders-pass "
        "redis://:other@redis.example/0 postgres://u:v@h/db host=h password=unknown user gavel"
    )

    assert shown == (
        "*** *** *** *** *** *** redis://***@redis.example/0 postgres://***@h/db host=h password=*** user gavel"
    )


def test_findings_are_redacted(settings) -> None:
    settings.EMAIL_HOST_PASSWORD = "mail-pass"

    def refuse() -> checking.Verdict:
        raise ConnectionError("535 mail-pass is wrong")

    (finding,) = checking.run([Check(name="mail", run=refuse, remedy="Correct it.")])

    assert finding.says == "535 *** is wrong"
