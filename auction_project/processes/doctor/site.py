"""Whether this machine and its settings are fit: disks, certificates, keys, and what production would refuse."""

import os
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from auction_project.processes.doctor import checking
from auction_project.settings import refusals

PRODUCTION = "auction_project.settings.production"
CERTIFICATES = ("GATEWAY_CERTIFICATE", "KAFKA_SSL_CERT_FILE")  # the variables that name our own
LOW_BYTES, FULL_BYTES = 2 * 1024**3, 200 * 1024**2
LOW_SHARE = 0.1
NEAR_DAYS = 30


def checks() -> list[checking.Check]:
    """None of them asks a store."""
    environment = dict(os.environ)
    return [
        checking.Check(name="settings", run=lambda: production_settings(environment), remedy=""),
        checking.Check(name="keys", run=keys, remedy="Correct JWT_PUBLIC_KEY."),
        checking.Check(
            name="certificates",
            run=lambda: certificates(environment, now=datetime.now(UTC)),
            remedy="Give the variable a PEM file that this user can read.",
        ),
        checking.Check(
            name="disk",
            run=lambda: disk([settings.VAR_DIR, settings.MEDIA_ROOT]),
            remedy="Make the directory readable.",
        ),
    ]


def production_settings(environment: Mapping[str, str]) -> checking.Verdict:
    """Whether production would refuse to start with this environment. Other settings are for a developer's machine."""
    if os.environ.get("DJANGO_SETTINGS_MODULE") == PRODUCTION:
        return checking.ok("These are production's settings, and it refuses none of them.")
    refused: list[str] = []
    for refuse in (
        lambda: refusals.refuse_incomplete(environment),
        lambda: refusals.refuse_unsafe(
            environment, {name: getattr(settings, name) for name in dir(settings)}
        ),
    ):
        try:
            refuse()
        except ImproperlyConfigured as error:
            refused += [line.split(" ")[0] for line in str(error).splitlines()]
    names = ", ".join(dict.fromkeys(refused)) or "nothing"
    return checking.skipped(f"These are not production's settings. Production would refuse: {names}.")


def keys() -> checking.Verdict:
    """Whether a rotation of the key of access tokens was left in its middle."""
    if settings.JWT_SECOND_PUBLIC_KEY:
        return checking.warn(
            "Tokens of two keys are taken: a rotation is under way.",
            "24 hours after its second step, remove JWT_SECOND_PUBLIC_KEY (docs/operations.md).",
        )
    return checking.ok("Tokens of one key are taken.")


def certificates(environment: Mapping[str, str], *, now: datetime) -> checking.Verdict:
    """Whether a certificate of ours ends soon."""
    named = {name: environment[name] for name in CERTIFICATES if environment.get(name)}
    if not named:
        return checking.skipped("No certificate is configured here.")
    ends = {}
    for name, path in named.items():
        chain = x509.load_pem_x509_certificates(Path(path).read_bytes())
        ends[name] = min(certificate.not_valid_after_utc for certificate in chain)
    name, end = min(ends.items(), key=lambda item: item[1])
    days = (end - now).days
    renew = f"Renew it, put it into the file that {name} names, and restart the process."
    if end <= now:
        return checking.fail(f"The certificate of {name} ended on {end:%Y-%m-%d}.", renew)
    if days < NEAR_DAYS:
        return checking.warn(f"The certificate of {name} ends in {days} days.", renew)
    return checking.ok(f"The first certificate to end is that of {name}, in {days} days.")


def disk(directories: Sequence[str | Path]) -> checking.Verdict:
    """Whether the file systems of these directories (or of the nearest ones that exist) have space."""
    usages = {}
    for directory in directories:
        path = Path(directory).absolute()
        while not path.exists():
            path = path.parent
        usages[path] = shutil.disk_usage(path)
    path, usage = min(usages.items(), key=lambda item: item[1].free)
    said = f"{path} has {usage.free / 1024**3:.1f} GiB free of {usage.total / 1024**3:.1f}."
    free_space = "Delete what is not needed, or enlarge the file system."
    if usage.free < FULL_BYTES:
        return checking.fail(said, free_space)
    if usage.free < LOW_BYTES or usage.free < LOW_SHARE * usage.total:
        return checking.warn(said, free_space)
    return checking.ok(said)
