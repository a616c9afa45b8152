"""One Chromium for all tests of the pages, with a window for each user of a test."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright import sync_api

from tests import house as houses
from tests.browser import visitor

ARGUMENTS = [
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
NAMES = ("chromium", "chromium-browser", "google-chrome")
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that opens a window needs a Chromium; one that only reads files does not."""
    for item in items:
        if HERE in item.path.parents and "open_window" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="package")
def chromium() -> Iterator[sync_api.Browser]:
    """It closes after the last test of this package, because its event loop must not run during other tests."""
    path = os.environ.get("GAVEL_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    assert path, "no Chromium: install one, or name it in GAVEL_CHROMIUM"
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS, *sandbox])
        yield browser
        browser.close()


@pytest.fixture
def open_window(chromium: sync_api.Browser, house: houses.House) -> Iterator[Callable[..., visitor.Window]]:
    """`open_window(person)`: a window with cookies of its own, signed in as `person`. Without a person it is signed out."""
    windows: list[visitor.Window] = []

    def open_one(person: houses.Person | None = None, **options: object) -> visitor.Window:
        window = visitor.Window(chromium.new_context(base_url=house.url, **options))
        windows.append(window)
        if person is not None:
            window.sign_in(person)
        return window

    yield open_one
    for window in windows:
        window.context.close()


@pytest.fixture(scope="package")
def bidders(house: houses.House) -> tuple[houses.Person, houses.Person]:
    """Two users who bid in many tests. Each test has an auction of its own."""
    return house.new_account("bidder"), house.new_account("bidder")


@pytest.fixture(scope="package")
def product(house: houses.House) -> str:
    """A product with units for every test."""
    return house.new_product(stock=200, title="Brass sextant")
