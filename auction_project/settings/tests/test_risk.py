"""The figures of the risk check: the defaults are those of the example, and what cannot work is refused by its name."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from auction_project.settings import environment, risk
from orders import risk as rules

EXAMPLE = Path(__file__).resolve().parents[3] / ".env.example"


def test_the_example_holds_each_figure_with_its_default() -> None:
    lines = [line for line in EXAMPLE.read_text().splitlines() if line.startswith("RISK_")]

    assert dict(line.split("=") for line in lines) == {
        risk.variable(name): str(default) for name, default in risk.DEFAULTS.items()
    }


def test_each_figure_is_one_of_the_policy() -> None:
    assert set(risk.DEFAULTS) == set(rules.Policy.__struct_fields__)
    assert rules.Policy(**risk.figures(environment.Env())).limit == 80


def test_a_site_sets_a_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RISK_LIMIT", "60")

    assert risk.figures(environment.Env()) == {**risk.DEFAULTS, "limit": 60}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RISK_LIMIT", "0"),
        ("RISK_LIMIT", "eighty"),
        ("RISK_UNVERIFIED_POINTS", "-1"),
        ("RISK_UNVERIFIED_POINTS", "1001"),
        ("RISK_PAID_POINTS", "5"),
        ("RISK_KNOWN_DEVICE_POINTS", "1"),
        ("RISK_VELOCITY_MINUTES", "0"),
        ("RISK_DECLINED_POINTS", "61"),
        ("RISK_LINKED_POINTS", "31"),
        ("RISK_PAID_MAX_POINTS", "-4"),
        ("RISK_RUSH_SALES", "10"),
        ("RISK_NEW_ACCOUNT_HOURS", "721"),
    ],
)
def test_what_cannot_work_is_refused_with_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(ImproperlyConfigured, match=name):
        risk.figures(environment.Env())


def test_all_that_is_wrong_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RISK_LIMIT", "0")
    monkeypatch.setenv("RISK_PAID_POINTS", "5")

    with pytest.raises(ImproperlyConfigured) as refusal:
        risk.figures(environment.Env())

    assert [line.split()[0] for line in str(refusal.value).splitlines()] == ["RISK_LIMIT", "RISK_PAID_POINTS"]
