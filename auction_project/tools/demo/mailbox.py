"""The demo's mailbox: a mail backend for Django that keeps each message as a file, and the functions that read them.

Only the demo names this backend. Mail to the simulated crowd has a box of its own, so that visitors find theirs.
Each box keeps its newest KEPT messages. Only this user may read the files, because they hold links that sign in.
"""

import contextlib
import email
import email.message
import email.policy
import os
import re
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from auction_project.tools.demo import people

KEPT = 500
TRIM_EVERY = 50  # messages of this process; between them a box may be that much larger
BOXES = ("visitors", "crowd")
_ID = re.compile(r"[0-9]{20}-[0-9a-f]{8}")


class EmailBackend(BaseEmailBackend):
    """Keeps messages instead of sending them."""

    _written = 0

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Keep the messages; the number of them. Raises OSError."""
        for message in email_messages:
            to_crowd = all(address.endswith(f"@{people.CROWD_DOMAIN}") for address in message.recipients())
            _keep(_directory("crowd" if to_crowd else "visitors"), message.message().as_bytes())
        return len(email_messages)


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """One message; `html` is empty where it has no such part."""

    id: str
    at: datetime
    sender: str
    to: str
    subject: str
    text: str
    html: str


def list_mails(box: str, *, limit: int) -> list[Mail]:
    """The newest messages, the newest first."""
    return [mail for name in _names(_directory(box))[:limit] if (mail := _read(_directory(box), name))]


def get_mail(mail_id: str) -> Mail | None:
    """The message of this id in any box."""
    if not _ID.fullmatch(mail_id):
        return None
    mails = (_read(_directory(box), f"{mail_id}.eml") for box in BOXES)
    return next((mail for mail in mails if mail), None)


def _directory(box: str) -> Path:
    return Path(settings.EMAIL_FILE_PATH) / box


def _names(directory: Path) -> list[str]:
    try:
        return sorted((name for name in os.listdir(directory) if name.endswith(".eml")), reverse=True)
    except FileNotFoundError:
        return []


def _keep(directory: Path, content: bytes) -> None:
    """Write a message as a whole: a reader never sees half of one."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}"
    draft = directory / f"{name}.draft"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    draft.rename(directory / f"{name}.eml")
    EmailBackend._written += 1
    if EmailBackend._written % TRIM_EVERY == 0:
        trim(directory)


def trim(directory: Path) -> None:
    """Delete all but the newest KEPT messages. Several processes may do so at once."""
    for name in _names(directory)[KEPT:]:
        (directory / name).unlink(missing_ok=True)


def _read(directory: Path, name: str) -> Mail | None:
    """The message, or None if it was deleted meanwhile."""
    with contextlib.suppress(FileNotFoundError):
        message = email.message_from_bytes((directory / name).read_bytes(), policy=email.policy.default)
        mail_id = name.removesuffix(".eml")
        return Mail(
            id=mail_id,
            at=datetime.fromtimestamp(int(mail_id.partition("-")[0]) / 1e9, UTC),
            sender=str(message["From"] or ""),
            to=str(message["To"] or ""),
            subject=str(message["Subject"] or "").strip(),
            text=_part(message, "plain"),
            html=_part(message, "html"),
        )
    return None


def _part(message: email.message.EmailMessage, kind: str) -> str:
    body = message.get_body(preferencelist=(kind,))
    return str(body.get_content()) if body is not None else ""
