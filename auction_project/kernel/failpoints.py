"""Named places where a test can make a process die, fail or pause. No-ops unless armed by GAVEL_FAILPOINTS.

`GAVEL_FAILPOINTS="capture_payment.after_effect=kill,relay.before_mark=sleep:2.5"`: actions are `kill` (SIGKILL, as a
crash would), `raise`, and `sleep:SECONDS`. Production settings refuse to start when the variable is set.
"""

import os
import signal
import time

VARIABLE = "GAVEL_FAILPOINTS"


class FailpointReached(RuntimeError):
    """An armed failpoint raised."""


def _parse(text: str) -> dict[str, str]:
    return dict(part.strip().split("=", 1) for part in text.split(",") if part.strip())


_armed = _parse(os.environ.get(VARIABLE, ""))


def reach(name: str) -> None:
    """Act as GAVEL_FAILPOINTS says for `name`; usually do nothing. Raises FailpointReached, ValueError."""
    if _armed and (action := _armed.get(name)):
        _act(name, action)


def _act(name: str, action: str) -> None:
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "raise":
        raise FailpointReached(name)
    elif action.startswith("sleep:"):
        time.sleep(float(action.removeprefix("sleep:")))
    else:
        raise ValueError(f"{VARIABLE}: unknown action {action!r} for {name}")
