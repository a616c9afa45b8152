"""Five lints of the project's own, over the syntax trees of all sources. Exits with 1 and names each place.

1. `transaction.atomic()` without `using=` opens on the database `default` while the router writes elsewhere.
2. A task sent inside a transaction leaves before the commit, unless through the helper that waits for it: `.delay`,
   `.apply_async`, `.delay_on_commit`, `send_task` and a bare `transaction.on_commit` are for `messaging.transactions`,
   and for the dispatchers that it calls.
3. No module imports a module of tests: what tests share is in a module beside them that has no tests. Tests obey this rule
   alone.
4. Metrics are declared in modules named metrics.py, by `auction_project/kernel/metrics.py`, which knows all of them.
5. No module outside `bidding/rules/formats` compares the name of an auction's format: it asks the format's object (ADR 24).
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("auction_project", "bidding", "inventory", "orders", "notifications", "sagas", "tests")
HELPER = "auction_project/kernel/messaging/transactions.py"
SENDERS = {"delay", "apply_async", "delay_on_commit", "apply_async_on_commit", "send_task"}
FORMATS = {path.stem for path in (ROOT / "bidding/rules/formats").glob("*.py")} - {"__init__", "base"}
METRICS = "auction_project/kernel/metrics.py"
METRIC_TYPES = {"Counter", "Gauge", "Histogram", "Summary", "Info", "Enum", "Measured"}
DISPATCHERS = {
    "sagas/dispatcher.py",
    "sagas/tasks.py",
    "notifications/mail/dispatcher.py",
    "notifications/tasks.py",
}


def flaws(source: str, path: str) -> Iterator[str]:
    """Each offence in the file `path` as `line: what`."""
    is_test = "tests" in path.split("/")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            if _imports_tests(node):
                yield f"{node.lineno}: a module of tests is imported"
        elif is_test:
            continue
        elif isinstance(node, ast.Call):
            name = _name(node.func)
            if name in ("transaction.atomic", "atomic") and not _names_database(node):
                yield f"{node.lineno}: transaction.atomic() without using="
            if name.endswith("on_commit") and name.startswith("transaction") and path != HELPER:
                yield f"{node.lineno}: transaction.on_commit outside messaging.transactions.after_commit"
            owner, _, last = name.rpartition(".")
            if path != METRICS and _declares_metric(owner, last, path):
                yield f"{node.lineno}: a metric is declared by {name}"
            if last in SENDERS and "." in name and path not in DISPATCHERS | {HELPER}:
                yield f"{node.lineno}: a task is sent by .{last} outside a dispatcher"
        elif isinstance(node, ast.Compare | ast.MatchValue):
            if _names_format(node) and not path.startswith("bidding/rules/formats/"):
                yield f"{node.lineno}: the name of a format is compared"
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                if _name(decorator) in ("transaction.atomic", "atomic"):
                    yield f"{decorator.lineno}: @transaction.atomic without using="


def _imports_tests(statement: ast.Import | ast.ImportFrom) -> bool:
    names = [alias.name for alias in statement.names]
    if isinstance(statement, ast.ImportFrom):
        names.append(statement.module or "")
    return any(part.startswith("test_") for name in names for part in name.split("."))


def _declares_metric(owner: str, name: str, path: str) -> bool:
    """Whether the call makes a metric in a place or in a way that it may not."""
    if owner.startswith("prometheus"):
        return name in METRIC_TYPES
    is_ours = owner == "metrics" and name in METRIC_TYPES | {"counter", "gauge", "histogram"}
    return is_ours and not path.endswith("/metrics.py")


def _names_format(comparison: ast.AST) -> bool:
    constants = {node.value for node in ast.walk(comparison) if isinstance(node, ast.Constant)}
    return not FORMATS.isdisjoint(constants)


def _names_database(call: ast.Call) -> bool:
    return any(keyword.arg == "using" for keyword in call.keywords) or bool(call.args)


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_name(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def main() -> int:
    count = 0
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            path = file.relative_to(ROOT).as_posix()
            if "/migrations/" in path:
                continue
            for flaw in flaws(file.read_text(), path):
                print(f"{path}:{flaw}")
                count += 1
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
