"""All processes restart, one after the other, under the load of a busy house. Users notice nothing but streams that resume.

`make chaos` sells 20 times a second meanwhile and bids 200 times, with 500 sockets. That takes more than two cores, so `make test`
has a tenth of it.
"""

import time
from pathlib import Path

from tests import traffic
from tests.house import House

SHARE = 1.0 if traffic.REPORT else 0.1
LOTS, BIDS_PER_SECOND, SALES_PER_SECOND, SOCKETS = 20, 200 * SHARE, 20 * SHARE, round(500 * SHARE)
MOST_ATTEMPTS = 2  # of one request: it may get one 503, and succeeds at once again


def test_a_rolling_restart_under_load_fails_no_request_and_loses_nothing(
    house: House, tmp_path: Path
) -> None:
    load = {"bids_per_second": BIDS_PER_SECOND, "sales_per_second": SALES_PER_SECOND, "sockets": SOCKETS}
    plan = traffic.plan(house, tmp_path / "answers.jsonl", lots=LOTS, **load)
    before = house.stack.pids()
    with traffic.Traffic(plan, house.stack.environment) as running:
        restarted = {name: time.monotonic() for name in house.stack.roll()}
        report = running.stop()

    assert sorted(restarted) == sorted(before)
    assert [name for name, pid in house.stack.pids().items() if before[name] == pid] == []
    failed = [attempt for attempt in report.attempts if attempt.status not in (201, 409, 503)]
    assert failed == [], restarted
    assert all(attempt.retry_after > 0 for attempt in report.attempts if attempt.status == 503)
    assert max(attempt.number for attempt in report.attempts) <= MOST_ATTEMPTS
    assert len(report.reconnects) >= SOCKETS  # their process restarted
    assert (report.gaps, report.behind) == (0, 0)
    traffic.assert_settled(house, report)
    house.assert_verified("--answers", plan.answers)
