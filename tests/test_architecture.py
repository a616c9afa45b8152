"""Each architectural rule catches a violation of it that is planted in a copy of the sources.

`make check` checks the sources themselves. The check of an unchanged copy shows that copying breaks no rule.
"""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("auction_project", "bidding", "inventory", "orders", "notifications", "sagas", "tests")

# By the contract's id in pyproject.toml: the module that gets an import, and what it imports.
PLANTS = {
    "layers": ("auction_project.kernel.messaging.relay", "auction_project.processes.roles"),
    "no-circle": ("bidding.rules.log", "bidding.rules.deciding"),
    "steps-alone-call-apps": ("sagas.dispatcher", "orders.services"),
    "plain": ("auction_project.kernel.ids", "structlog"),
    "drivers-in-one-file": ("orders.selectors", "pymongo"),
    "embedded-is-a-program": ("auction_project.tools.embedded.child", "django"),
    "inside-an-app": ("orders.models.cards", "orders.services"),
}

# By the message of .ci/lint.py: lines that break one of its rules.
LINTED = {
    "transaction.atomic() without using=": "from django.db import transaction\nwith transaction.atomic():\n    pass\n",
    "@transaction.atomic without using=": (
        "from django.db import transaction\n@transaction.atomic\ndef work():\n    pass\n"
    ),
    "transaction.on_commit outside messaging.transactions.after_commit": (
        "from django.db import transaction\ntransaction.on_commit(print, using='orders')\n"
    ),
    "a task is sent by .delay outside a dispatcher": "from orders import tasks\ntasks.work.delay()\n",
    "a task is sent by .apply_async outside a dispatcher": "from orders import tasks\ntasks.work.apply_async()\n",
    "a task is sent by .send_task outside a dispatcher": "import celery\ncelery.current_app.send_task('orders.work')\n",
    "a metric is declared by prometheus_client.Counter": (
        "import prometheus_client\nwaiting = prometheus_client.Counter('gavel_x_total', 'X.')\n"
    ),
    "a metric is declared by metrics.counter": (
        "from auction_project.kernel import metrics\nmetrics.counter('gavel_x_total', 'X.', roles=())\n"
    ),
    "the name of a format is compared": "def is_sold_at_once(terms):\n    return terms.format in ('buy_now', 'x')\n",
}
MATCHED = "match terms.format:\n    case 'english' | 'x':\n        pass\n"


def copy_sources(directory: Path) -> Path:
    """The sources and the rules, without anything that was built from them."""
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, directory / folder, ignore=_all_but_python)
    shutil.copytree(ROOT / ".ci", directory / ".ci")
    shutil.copy(ROOT / "pyproject.toml", directory)
    return directory


def copy_lint(directory: Path) -> None:
    """The lint, and the formats, whose names it reads."""
    shutil.copytree(ROOT / ".ci", directory / ".ci")
    formats = "bidding/rules/formats"
    shutil.copytree(ROOT / formats, directory / formats, ignore=_all_but_python)


def _all_but_python(directory: str, names: list[str]) -> set[str]:
    paths = [Path(directory) / name for name in names]
    return {
        path.name
        for path in paths
        if not (path.is_dir() or path.suffix == ".py") or path.name == "__pycache__"
    }


def run(directory: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "1000", "PYTHONPATH": str(directory)}
    return subprocess.run(
        command, cwd=directory, env=environment, check=False, capture_output=True, text=True
    )


def lint_imports(directory: Path) -> subprocess.CompletedProcess[str]:
    return run(directory, str(Path(sys.executable).with_name("lint-imports")), "--no-cache")


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """By the id of a contract: what import-linter reports of it on a copy with all violations planted."""
    directory = copy_sources(tmp_path_factory.mktemp("planted"))
    for module, imported in PLANTS.values():
        path = directory.joinpath(*module.split(".")).with_suffix(".py")
        path.write_text(path.read_text() + f"\n\nimport {imported}\n")

    output = lint_imports(directory).stdout

    broken = output[output.index("Broken contracts") :]
    names = contract_names(directory)
    starts = {contract: broken.find(f"\n{name}\n-") for contract, name in names.items()}
    ends = sorted([*(start for start in starts.values() if start >= 0), len(broken)])
    return {
        contract: broken[start : ends[ends.index(start) + 1]]
        for contract, start in starts.items()
        if start >= 0
    }


def contract_names(directory: Path) -> dict[str, str]:
    settings = tomllib.loads((directory / "pyproject.toml").read_text())
    return {contract["id"]: contract["name"] for contract in settings["tool"]["importlinter"]["contracts"]}


def test_the_sources_keep_every_rule(tmp_path: Path) -> None:
    directory = copy_sources(tmp_path)

    imports = lint_imports(directory)
    lint = run(directory, sys.executable, ".ci/lint.py")

    assert imports.returncode == 0, imports.stdout
    assert (lint.returncode, lint.stdout) == (0, "")


def test_a_violation_is_planted_for_every_contract() -> None:
    assert set(contract_names(ROOT)) == set(PLANTS)


@pytest.mark.parametrize("contract", PLANTS)
def test_the_contract_catches_its_violation(contract: str, findings: dict[str, str]) -> None:
    module, imported = PLANTS[contract]
    shown = f"{module} -> {imported} (l."
    if contract == "no-circle":  # names siblings, not lines
        shown = f"- .{module.rpartition('.')[2]} -> .{imported.rpartition('.')[2]} (1 import)"

    assert shown in findings[contract]


@pytest.mark.parametrize("flaw", LINTED)
def test_the_lint_names_file_and_line(flaw: str, tmp_path: Path) -> None:
    (tmp_path / "orders").mkdir()
    copy_lint(tmp_path)
    (tmp_path / "orders" / "planted.py").write_text(LINTED[flaw])

    lint = run(tmp_path, sys.executable, ".ci/lint.py")

    assert (lint.returncode, lint.stdout) == (1, f"orders/planted.py:2: {flaw}\n")


def test_the_lint_names_a_case_of_a_format(tmp_path: Path) -> None:
    (tmp_path / "orders").mkdir()
    copy_lint(tmp_path)
    (tmp_path / "orders" / "planted.py").write_text(MATCHED)

    lint = run(tmp_path, sys.executable, ".ci/lint.py")

    assert (lint.returncode, lint.stdout) == (1, "orders/planted.py:2: the name of a format is compared\n")


@pytest.mark.parametrize("path", ["tests/test_planted.py", "orders/tests/test_planted.py"])
@pytest.mark.parametrize(
    "statement",
    [
        "from orders.tests.test_bank import charge",
        "from orders.tests import bank_process, test_bank",
        "import orders.tests.test_bank as bank",
    ],
)
def test_the_lint_names_a_test_module_that_imports_another(path: str, statement: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text(f"import os\n{statement}\n")

    lint = run(tmp_path, sys.executable, ".ci/lint.py")

    assert (lint.returncode, lint.stdout) == (1, f"{path}:2: a module of tests is imported\n")


def test_the_lint_lets_the_helper_and_the_dispatchers_do_their_work(tmp_path: Path) -> None:
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    for path, lines in (
        (
            "auction_project/kernel/messaging/transactions.py",
            LINTED["transaction.on_commit outside messaging.transactions.after_commit"],
        ),
        ("sagas/dispatcher.py", LINTED["a task is sent by .apply_async outside a dispatcher"]),
    ):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(lines)

    lint = run(tmp_path, sys.executable, ".ci/lint.py")

    assert (lint.returncode, lint.stdout) == (0, "")
