"""What the doctor says of this machine and of the facts that it has from the stores."""

import shutil
from collections import namedtuple
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from auction_project.processes.doctor import site, stores
from auction_project.processes.doctor.checking import Outcome, Verdict

NOW = datetime(2026, 11, 1, tzinfo=UTC)
GIB = 1024**3
_Usage = namedtuple("_Usage", "total used free")


def certificate(path: Path, *, days: int) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gavel.example")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=400))
        .not_valid_after(NOW + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return str(path)


@pytest.mark.parametrize(
    ("days", "outcome", "said"),
    [
        (-1, Outcome.FAIL, "ended on 2026-10-31"),
        (29, Outcome.WARN, "ends in 29 days"),
        (30, Outcome.OK, "in 30 days"),
    ],
)
def test_a_certificate_is_named_before_it_ends(
    tmp_path: Path, days: int, outcome: Outcome, said: str
) -> None:
    environment = {
        "GATEWAY_CERTIFICATE": certificate(tmp_path / "a.pem", days=days),
        "KAFKA_SSL_CERT_FILE": certificate(tmp_path / "b.pem", days=300),
    }

    verdict = site.certificates(environment, now=NOW)

    assert (verdict.outcome, said in verdict.says, "GATEWAY_CERTIFICATE" in verdict.says) == (
        outcome,
        True,
        True,
    )


def test_without_certificates_there_is_nothing_to_check() -> None:
    assert site.certificates({}, now=NOW).outcome is Outcome.SKIPPED


@pytest.mark.parametrize(
    ("free", "outcome"),
    [(0.1 * GIB, Outcome.FAIL), (1 * GIB, Outcome.WARN), (9 * GIB, Outcome.WARN), (11 * GIB, Outcome.OK)],
)
def test_a_disk_is_named_before_it_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: float, outcome: Outcome
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: _Usage(100 * GIB, 0, int(free)))

    verdict = site.disk([tmp_path / "not" / "made" / "yet"])

    assert verdict.outcome is outcome
    assert verdict.says.startswith(f"{tmp_path} has ")


def test_a_rotation_that_was_left_in_its_middle_is_named(settings) -> None:
    assert site.keys().outcome is Outcome.OK
    settings.JWT_SECOND_PUBLIC_KEY = settings.JWT_PUBLIC_KEY
    assert site.keys().outcome is Outcome.WARN


def test_what_production_would_refuse_is_named_by_its_variables() -> None:
    verdict = site.production_settings({"DEBUG": "true"})

    assert verdict.outcome is Outcome.SKIPPED
    assert "SECRET_KEY" in verdict.says
    assert "openssl" not in verdict.says


@pytest.mark.parametrize(
    ("offsets", "outcome"),
    [
        ({"mongodb": 99.0, "redis": -99.0}, Outcome.OK),
        ({"mongodb": 0.0, "postgres:orders": -150.0}, Outcome.WARN),
        ({"mongodb": 101.0}, Outcome.FAIL),
        ({}, Outcome.SKIPPED),
    ],
)
def test_clocks_that_differ_are_named(offsets: dict[str, float], outcome: Outcome) -> None:
    assert stores.clock(stores.Facts(offsets_ms=offsets)).outcome is outcome


@pytest.mark.parametrize(
    ("versions", "verdict"),
    [
        (
            {"postgres:default": "17.2 (Debian 17.2-1)", "postgres:orders": "17.2", "redis": "7.2.4"},
            Verdict(Outcome.OK, "postgres 17.2, postgres 17.2 (Debian 17.2-1), redis 7.2.4."),
        ),
        (
            {"postgres:orders": "14.9", "redis": "6.2.1"},
            Verdict(
                Outcome.WARN,
                "postgres:orders is 14.9, and 15 is the oldest that is tested; "
                "redis is 6.2.1, and 7.0 is the oldest that is tested.",
                "Upgrade these servers.",
            ),
        ),
    ],
)
def test_servers_that_are_too_old_are_named(versions: dict[str, str], verdict: Verdict) -> None:
    assert stores.versions(stores.Facts(versions=versions)) == verdict
