"""The correlation id of a request: one string that its log lines, its events and its answer share."""

import re

from auction_project.kernel import ids, tracing

_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{8,64}")


def accept(sent: str, traceparent: str = "") -> str:
    """The id that the caller sent if it is harmless (8 to 64 letters, digits and ._-), else the trace id of a well-formed
    `traceparent`, else a fresh one."""
    if _ACCEPTED.fullmatch(sent):
        return sent
    caller = tracing.parse(traceparent)
    return caller.trace_id if caller is not None else ids.new_id()
