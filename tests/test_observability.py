"""What `docker/observability/` reads exists: metrics, runbooks, roles, panels; and its rules do what their tests say."""

import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
import yaml

from auction_project.management.commands import metrics
from auction_project.processes import roles
from tests.house import House

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / "docker" / "observability"
RULES = [
    rule
    for file in sorted((HERE / "rules").glob("*.yml"))
    for group in yaml.safe_load(file.read_text())["groups"]
    for rule in group["rules"]
]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
FILES = sorted((HERE / "grafana" / "dashboards").glob("*.json"))
UNITS = {"s", "ops", "short", "percentunit", "bytes"}
PROMTOOL = shutil.which("promtool")

_STRING = re.compile(r'"[^"]*"|\'[^\']*\'')
_NAME = re.compile(
    r"\b(?:gavel|haproxy|process|node|up|ALERTS)(?:_[a-z0-9_]+)?(?=[\s{\[)]|$)|\bgavel:[a-z0-9_:]+"
)


def metrics_of(expression: str) -> set[str]:
    """The series that a PromQL expression reads."""
    return set(_NAME.findall(_STRING.sub('""', expression)))


def panels() -> list[tuple[str, dict[str, Any]]]:
    return [(file.stem, panel) for file in FILES for panel in json.loads(file.read_text())["panels"]]


def anchors() -> set[str]:
    """The anchors of the headings of docs/operations.md."""
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def dashboards() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dashboards", HERE / "dashboards.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_series_that_a_rule_reads_is_documented() -> None:
    recorded = {rule["record"] for rule in RULES if "record" in rule}
    read = {series for rule in RULES for series in metrics_of(rule["expr"])}

    assert read - recorded - metrics.known_series() == set()
    assert len(read) > 25
    assert metrics_of('sum(rate(gavel_x_total{a="gavel_y"}[5m])) > up') == {"gavel_x_total", "up"}


def test_every_series_that_a_panel_reads_is_documented() -> None:
    recorded = {rule["record"] for rule in RULES if "record" in rule}
    read = {
        series
        for _, panel in panels()
        for target in panel["targets"]
        for series in metrics_of(target["expr"])
    }

    assert read - recorded - metrics.known_series() == set()
    assert len(read) > 40


def test_every_metric_of_ours_is_seen_on_a_panel_or_by_an_alert() -> None:
    shown = " ".join(
        [rule["expr"] for rule in RULES]
        + [target["expr"] for _, panel in panels() for target in panel["targets"]]
    )
    unseen = {name for name in metrics.metrics.DECLARED if name not in shown}

    assert unseen == {  # these are for questions, not for looking at
        "gavel_account_mails_not_sent_total",
        "gavel_account_requests_limited_total",
        "gavel_sagas_started_total",
        "gavel_sessions_ended_total",
    }


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_a_severity_a_summary_and_its_runbook(alert: str) -> None:
    rule = ALERTS[alert]

    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["summary"].endswith(".")
    assert rule["annotations"]["runbook_url"] == f"docs/operations.md#{alert.lower()}"
    assert alert.lower() in anchors()


def test_every_runbook_says_what_it_means_what_users_see_and_what_to_do() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    sections = dict(re.findall(r"^### (\w+)\n\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL))

    assert sections.keys() >= ALERTS.keys()
    for alert in ALERTS:
        assert re.search(r"\*\*Means:\*\*.*\*\*Users see:\*\*.*\*\*Do:\*\*", sections[alert], re.DOTALL), (
            alert
        )


def test_every_role_is_missed_when_it_is_gone() -> None:
    missed = {rule["labels"]["role"]: rule["expr"] for rule in RULES if rule.get("alert") == "RoleGone"}

    assert missed == {
        role: f'absent(up{{role="{role}"}} == 1)' for role in roles.BY_NAME.keys() - {"bank"}
    }  # the bank is the demo's


def test_each_role_gives_the_metrics_that_name_it(house: House) -> None:
    given: dict[str, set[str]] = {}
    for name, process in house.stack.processes.items():
        role = name if name in roles.BY_NAME else "web"  # which is several pools
        text = httpx.get(f"http://127.0.0.1:{process.health_port}/metrics", timeout=20).text
        families = re.findall(r"^# TYPE (\w+)", text, re.MULTILINE)
        given.setdefault(role, set()).update(name for name in families if not name.endswith("_created"))
    of_gateway = given.pop("gateway")
    ours = {role: {name for name in names if name.startswith("gavel_")} for role, names in given.items()}
    declared = metrics.metrics.DECLARED
    measured = {
        value.name
        for module in metrics.MODULES
        for value in vars(module).values()
        if isinstance(value, metrics.metrics.Measured)
    }

    assert ours.keys() == roles.BY_NAME.keys() - {"gateway"}
    assert {name for names in ours.values() for name in names} == declared.keys()
    assert {name for name in metrics.FOREIGN if name.startswith("haproxy_")} <= of_gateway
    # What is measured is in these processes and no other. A counter is in each that has loaded its code by now.
    wrong = {}
    for one in declared.values():
        wanted, by = set(one.roles or ours), {role for role, names in ours.items() if one.name in names}
        if not wanted & by or (one.name in measured and wanted != by):
            wrong[one.name] = (wanted, by)
    assert wrong == {}


def test_every_alert_is_tested() -> None:
    tested = {
        case["alertname"]
        for file in (HERE / "tests").glob("*.yml")
        for test in yaml.safe_load(file.read_text())["tests"]
        for case in test.get("alert_rule_test", ())
        if case["exp_alerts"]
    }

    assert tested == ALERTS.keys()


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: apt install prometheus)")
@pytest.mark.parametrize("arguments", [("check", "rules", "rules/*.yml"), ("test", "rules", "tests/*.yml")])
def test_the_rules_do_what_their_tests_say(arguments: tuple[str, str, str]) -> None:
    files = sorted(map(str, HERE.glob(arguments[2])))

    completed = subprocess.run(
        [str(PROMTOOL), *arguments[:2], *files], cwd=HERE, capture_output=True, text=True, timeout=300
    )

    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert len(files) == 3


def test_the_dashboards_are_those_of_the_table() -> None:
    written = {file.stem: file.read_text() for file in FILES}
    table = dashboards()

    assert written == {uid: table.render(uid) for uid in table.DASHBOARDS}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_dashboard_has_unique_panels_with_units_that_do_not_overlap(file: Path) -> None:
    board = json.loads(file.read_text())
    ids = [panel["id"] for panel in board["panels"]]
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in board["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert board["uid"] == f"gavel-{file.stem}"
    assert len(set(ids)) == len(ids)
    assert {panel["fieldConfig"]["defaults"]["unit"] for panel in board["panels"]} <= UNITS
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24
    assert len({panel["title"] for panel in board["panels"]}) == len(ids)


def test_the_compose_file_mounts_what_exists_and_pins_its_images() -> None:
    services = yaml.safe_load((HERE / "compose.yml").read_text())["services"]
    mounted = [
        volume.partition(":")[0]
        for service in services.values()
        for volume in service["volumes"]
        if volume.startswith("./")
    ]

    assert len(mounted) == 4
    assert [path for path in mounted if not (ROOT / "docker" / path).exists()] == []
    assert all(re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", service["image"]) for service in services.values())


def test_prometheus_asks_services_that_the_compose_files_have() -> None:
    composed = [
        yaml.load((ROOT / "docker" / file).read_text(), _Lenient)["services"]  # noqa: S506 - a safe loader
        for file in ("compose.yml", "observability/compose.yml")
    ]
    known = {name for services in composed for name in services}
    text = (HERE / "prometheus.yml").read_text()
    asked = set(re.findall(r"([a-z-]+):\d{4}", text))

    assert asked == {"relay", "site", "gateway", "node-exporter"}
    assert asked <= known
    assert yaml.safe_load(text)["rule_files"] == ["rules/*.yml"]


class _Lenient(yaml.SafeLoader):
    """Also takes the tags of Compose."""


_Lenient.add_multi_constructor("!", lambda loader, _suffix, node: None)
