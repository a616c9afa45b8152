"""What a check is, what it finds, and how checks run: side by side, each for a bounded time.

A check that raises, or does not answer in time, fails with its `remedy`. A check whose store has failed is skipped, because
it could only say the same again.
"""

import enum
import threading
import time
from collections.abc import Callable, Sequence

import msgspec

from auction_project.processes.doctor import redaction

ANSWER_SECONDS = 2.0


class Outcome(enum.Enum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIPPED = "skipped"


class Verdict(msgspec.Struct, frozen=True):
    """What a check says: one sentence, and the next step unless all is well."""

    outcome: Outcome
    says: str
    next: str = ""


def ok(says: str) -> Verdict:
    return Verdict(Outcome.OK, says)


def warn(says: str, next_step: str) -> Verdict:
    return Verdict(Outcome.WARN, says, next_step)


def fail(says: str, next_step: str) -> Verdict:
    return Verdict(Outcome.FAIL, says, next_step)


def skipped(says: str) -> Verdict:
    return Verdict(Outcome.SKIPPED, says)


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One question. `run` only reads. `remedy`: the next step if it raises or does not answer. `needs`: names of checks
    without which it makes no sense."""

    name: str
    run: Callable[[], Verdict]
    remedy: str
    needs: tuple[str, ...] = ()


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found. It holds no secret."""

    check: str
    outcome: Outcome
    says: str
    next: str
    seconds: float


def run(
    checks: Sequence[Check], *, before: Sequence[Finding] = (), seconds: float = ANSWER_SECONDS
) -> list[Finding]:
    """The findings of `checks`, in order, after at most `seconds`. `before`: the findings on which they may depend."""
    failed = {finding.check for finding in before if finding.outcome is Outcome.FAIL}
    findings: dict[str, Finding] = {}
    began = time.monotonic()

    def ask(check: Check) -> None:
        try:
            verdict = check.run()
        except Exception as error:
            verdict = fail(_sentence(error), check.remedy)
        findings[check.name] = _finding(check, verdict, time.monotonic() - began)

    threads = []
    for check in checks:
        if unmet := [need for need in check.needs if need in failed]:
            findings[check.name] = _finding(check, skipped(f"It needs {', '.join(unmet)}."), 0.0)
        else:  # a daemon, because one that hangs must not keep the command
            threads.append(threading.Thread(target=ask, args=(check,), name=check.name, daemon=True))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, began + seconds - time.monotonic()))
    in_time = dict(findings)
    return [in_time.get(check.name) or _finding(check, _late(check, seconds), seconds) for check in checks]


def _late(check: Check, seconds: float) -> Verdict:
    return fail(f"No answer within {seconds:g} s.", check.remedy)


def _finding(check: Check, verdict: Verdict, seconds: float) -> Finding:
    return Finding(
        check=check.name,
        outcome=verdict.outcome,
        says=redaction.redact(verdict.says),
        next=redaction.redact(verdict.next),
        seconds=round(seconds, 3),
    )


def _sentence(error: Exception) -> str:
    """What went wrong, in a line. A time-out has no words of its own, so its kind stands for them."""
    text = str(error).strip()
    if not text or text.endswith(":"):
        text = f"{text} {type(error.__cause__ or error).__name__}".strip()
    return text.splitlines()[0]
