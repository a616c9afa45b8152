"""The doctor on the running stack: nothing has failed, and it takes a few seconds."""

import json

from tests.house import House


def test_nothing_fails_on_a_stack_that_runs(house: House) -> None:
    completed = house.manage("doctor", "--json")

    findings = {finding["check"]: finding for finding in json.loads(completed.stdout)["findings"]}
    assert completed.returncode == 0, completed.stdout
    assert {name for name, finding in findings.items() if finding["outcome"] == "skipped"} == {
        "mail",
        "settings",
        "certificates",
    }
    for name in ("payments", "migrations:sagas", "bid log", "sagas", "tasks", "consumers", "outbox:orders"):
        assert findings[name]["outcome"] == "ok", findings[name]
