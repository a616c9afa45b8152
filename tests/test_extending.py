"""docs/extending.md: each file that it names exists, and each example is part of a test that its section names."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs/extending.md").read_text()
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))


def named(text: str) -> list[str]:
    return [path for path in re.findall(r"`([\w./]+/[\w./]*)`", text) if not path.startswith("/")]


def test_there_is_a_section_for_each_kind_of_addition() -> None:
    assert list(SECTIONS) == [
        "A format of auction",
        "A step of the sale's saga",
        "A kind of notification",
        "A kind of log entry",
        "A REST resource",
    ]


@pytest.mark.parametrize("path", named(TEXT))
def test_a_named_file_exists(path: str) -> None:
    assert (ROOT / path).exists() or (ROOT / "auction_project/kernel" / path).exists()


@pytest.mark.parametrize("section", SECTIONS)
def test_an_example_is_part_of_a_test(section: str) -> None:
    (example,) = re.findall(r"```python\n(.*?)\n```", SECTIONS[section], re.DOTALL)
    tests = [ROOT / path for path in named(SECTIONS[section]) if "/tests/" in path and path.endswith(".py")]

    assert any(" ".join(example.split()) in " ".join(path.read_text().split()) for path in tests)
