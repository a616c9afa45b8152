"""The examination as a whole: first the stores and this machine, then what depends on stores that answer."""

from auction_project.processes.doctor import checking, site, stores, work

FAILED, WARNED = 2, 1


def examine(*, seconds: float = checking.ANSWER_SECONDS) -> list[checking.Finding]:
    """All findings, after at most twice `seconds`."""
    facts = stores.Facts()
    first = checking.run([*stores.checks(facts), *site.checks()], seconds=seconds)
    rest = [*stores.conclusions(facts), *work.checks()]
    return [*first, *checking.run(rest, before=first, seconds=seconds)]


def exit_code(findings: list[checking.Finding], *, strict: bool) -> int:
    """2 for a failure, 1 for a warning if `strict`, else 0."""
    outcomes = {finding.outcome for finding in findings}
    if checking.Outcome.FAIL in outcomes:
        return FAILED
    return WARNED if strict and checking.Outcome.WARN in outcomes else 0
