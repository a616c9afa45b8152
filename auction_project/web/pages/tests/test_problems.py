"""Every `type` that an answer can name leads to a page in words, and no code is missing."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client

from auction_project.kernel import errors
from auction_project.web import bounds
from auction_project.web.pages import problems
from bidding.rules import refusals
from inventory import refusals as stock_refusals

ROOT = Path(__file__).resolve().parents[4]
PACKAGES = ("auction_project", "bidding", "inventory", "orders", "notifications", "sagas")


def sources() -> list[Path]:
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return [path for path in paths if not {"tests", "migrations"} & set(path.parts)]


def declared() -> set[str]:
    """The names of all classes that are errors for people outside, by the sources alone."""
    bases = {
        node.name: {ast.unparse(base).rpartition(".")[2] for base in node.bases}
        for path in sources()
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef)
    }
    domain_errors = {
        kind.__name__ for kind in errors.DomainError.__subclasses__() if kind.__module__ == errors.__name__
    }
    while more := {name for name, above in bases.items() if above & domain_errors} - domain_errors:
        domain_errors |= more
    return domain_errors


def test_every_error_that_the_sources_declare_has_a_page() -> None:
    """In a process that has imported nothing else: whichever apps it serves, the pages are the same."""
    code = "import django; django.setup(); from auction_project.web.pages import problems; print(*problems.catalogue())"

    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    codes = {re.sub("([A-Z])", r"_\1", name).lower().lstrip("_") for name in declared()}
    assert len(codes) > 80
    assert codes - set(printed.stdout.split()) == set()


def test_every_meaning_is_in_words_and_says_what_to_do() -> None:
    for problem in problems.catalogue().values():
        for meaning in problem.meanings:
            assert meaning.text.endswith((".", "listing.")), problem
            assert meaning.remedy.endswith("."), problem
            assert 400 <= meaning.status < 600


def test_every_rule_that_refuses_a_bid_or_a_change_is_an_error_of_its_own() -> None:
    named = {
        refusal
        for path in (ROOT / "bidding/rules").rglob("*.py")
        for refusal in re.findall(r"refuse\(\s*refusals\.(\w+)", path.read_text())
    }
    kinds = [kind for kind in vars(refusals).values() if isinstance(kind, type)]

    assert named == {kind.__name__ for kind in kinds if issubclass(kind, errors.DomainError)}


def test_a_code_has_a_page_with_its_meaning_and_the_next_step() -> None:
    answer = Client().get("/problems/bid_too_low")

    page = answer.content.decode()
    assert answer.status_code == 200
    assert "<h1>Bid too low</h1>" in page
    assert "The bid is below the minimum next bid" in page
    assert "Bid <code>minimum</code> or more." in page
    assert "<dd>409</dd>" in page


def test_a_code_with_two_meanings_shows_both() -> None:
    meanings = {meaning.text for meaning in problems.catalogue()["sold_out"].meanings}
    page = Client().get("/problems/sold_out").content.decode()

    assert {inspect.getdoc(refusals.SoldOut), inspect.getdoc(stock_refusals.SoldOut)} <= meanings
    assert page.count("What it means") == len(meanings)


def test_the_bounds_are_there_with_their_status() -> None:
    assert [meaning.status for meaning in problems.catalogue()[bounds.BodyTooLarge.code].meanings] == [413]


@pytest.mark.parametrize(
    "code", ["no_such_code", "epoch_missing", "domain_error", "bid_too_low/", "BID_TOO_LOW", "%00"]
)
def test_a_code_that_no_error_has_is_404(code: str) -> None:
    assert Client().get(f"/problems/{code}").status_code == 404


def test_the_list_links_to_every_page() -> None:
    page = Client().get("/problems/").content.decode()

    assert re.findall(r'href="/problems/(\w+)"', page) == list(problems.catalogue())


def test_a_docstring_is_text_and_not_markup() -> None:
    assert problems._marked_up("<b> `a<b`") == "&lt;b&gt; <code>a&lt;b</code>"
