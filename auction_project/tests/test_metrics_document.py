"""docs/metrics.md is what the code declares, of the whole code, and names roles that exist."""

from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from auction_project.kernel import metrics
from auction_project.management.commands import metrics as document
from auction_project.processes import roles


def test_every_module_of_metrics_is_in_the_document() -> None:
    root = Path(settings.BASE_DIR)
    files = {
        path.relative_to(root).with_suffix("").as_posix().replace("/", ".")
        for package in ("auction_project", "bidding", "inventory", "orders", "notifications", "sagas")
        for path in (root / package).rglob("metrics.py")
    }

    assert files - {metrics.__name__, document.__name__} == {module.__name__ for module in document.MODULES}


def test_every_metric_names_roles_that_exist() -> None:
    named = {role for declared in metrics.DECLARED.values() for role in declared.roles}

    assert named <= roles.BY_NAME.keys()
    assert len(metrics.DECLARED) > 40


def test_the_check_fails_for_a_file_that_is_not_current_and_for_a_bad_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings
) -> None:
    settings.BASE_DIR = tmp_path
    (tmp_path / "docs").mkdir()
    call_command("metrics")
    call_command("metrics", check=True)

    bad = metrics.Declared(
        name="gavel_bid_ms", kind="gauge", meaning="A time.", labels=(), roles=(), module="bidding.metrics"
    )
    monkeypatch.setitem(metrics.DECLARED, bad.name, bad)

    with pytest.raises(CommandError, match=r"ms is no base unit[^$]*docs/metrics.md is not current"):
        call_command("metrics", check=True)
