"""The correlation id of a request: one string that its log lines, its events and its answer share."""

import re

from auction_project.kernel import ids

_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{8,64}")


def accept(sent: str) -> str:
    """The id that the caller sent if it is harmless (8 to 64 letters, digits and ._-), else a fresh one."""
    return sent if _ACCEPTED.fullmatch(sent) else ids.new_id()
