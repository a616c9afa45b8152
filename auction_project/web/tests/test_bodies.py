"""The values that the types of the pages' JavaScript name are those that the server sends: TypeScript cannot see a server."""

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from auction_project.kernel import reasons
from bidding.rest import schemas
from bidding.rules import facts, kinds

ROOT = Path(__file__).resolve().parents[3]
PAGES = ROOT / "auction_project/web/static/gavel/js"
BODIES = PAGES / "bodies.d.ts"
SOCKETS = ROOT / "docs/asyncapi-sockets.json"


def frame_events() -> list[str]:
    names = json.loads(SOCKETS.read_text())["components"]["schemas"]
    return [name.removesuffix("Data") for name in names if name.endswith("Data")]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Status", schemas.STATUSES),
        ("Outcome", schemas.OUTCOMES),
        ("Standing", schemas.STANDINGS),
        ("FormatName", schemas.FORMATS),
        ("EntryKind", [kind.__struct_config__.tag for kind in get_args(kinds.AnyFacts)]),
        ("NextStep", get_args(facts.Next)),
        ("FrameEvent", frame_events()),
    ],
)
def test_a_union_names_the_values_of_the_server(name: str, values: list[str]) -> None:
    union = re.search(rf"export type {name} =([^;]+);", BODIES.read_text())

    assert union is not None
    assert sorted(re.findall(r'"([^"]+)"', union[1])) == sorted(values)


def test_the_pages_give_a_failed_sale_the_reasons_of_the_e_mails() -> None:
    table = re.search(r"REASONS = \{(.*?)\};", (PAGES / "reasons.js").read_text(), re.DOTALL)

    assert table is not None
    assert dict(re.findall(r'(\w+): "([^"]+)"', table[1])) == reasons.IN_WORDS
