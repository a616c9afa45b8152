"""The owner's desk over real processes: an open page hears of a sale at once, and only who may see the desk does."""

import contextlib
import json
import re
import time
from collections.abc import Iterator

import httpx
import pytest
from websockets.sync import client

from tests.house import House, Person

pytestmark = pytest.mark.everywhere
HEARD_SECONDS = 2.0


@contextlib.contextmanager
def stream(house: House, ticket: str = "") -> Iterator[client.ClientConnection]:
    address = house.url.replace("http://", "ws://", 1) + f"/ws/v1/stream{ticket and f'?ticket={ticket}'}"
    with client.connect(address, open_timeout=30) as connection:
        assert json.loads(connection.recv(timeout=10)) == {"type": "ready"}
        yield connection


def watch(connection: client.ClientConnection, desk_pass: str) -> dict[str, object]:
    """The answer to the wish to watch the desk."""
    connection.send(json.dumps({"type": "watch_desk", "desk_pass": desk_pass}))
    answer: dict[str, object] = json.loads(connection.recv(timeout=10))
    return answer


@contextlib.contextmanager
def browser_of(house: House, person: Person) -> Iterator[httpx.Client]:
    """The session of a person who has signed in on the page."""
    with httpx.Client(base_url=house.url, timeout=10, follow_redirects=True) as browser:
        form = browser.get("/accounts/login/").text
        (token,) = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)[:1]
        fields = {"login": person.email, "password": person.password, "csrfmiddlewaretoken": token}
        browser.post("/accounts/login/", data=fields, headers={"Referer": house.url})
        yield browser


def orders(browser: httpx.Client) -> int:
    """How many orders of today the desk counts."""
    figures = browser.get("/admin/desk/figures/").text
    (counted,) = re.findall(r"<dt>Orders</dt>\s*<dd><strong>([\d,]+)<", figures)
    return int(counted.replace(",", ""))


def test_the_page_of_the_owner_hears_of_a_sale_and_a_bidder_does_not(house: House) -> None:
    buyer = house.new_account("bidder")
    lot = house.new_auction(house.new_product(stock=1), format="buy_now", start_price="40.00", quantity=1)
    ticket = buyer.post("/api/v1/notifications/ticket", {}).json()["ticket"]
    with (
        browser_of(house, house.new_staff("--superuser")) as browser,
        stream(house) as page,
        stream(house, ticket) as bidders,
    ):
        shown = browser.get("/admin/desk/")
        (desk_pass,) = re.findall(r'data-pass="([^"]+)"', shown.text)
        refused = watch(bidders, desk_pass.replace("desk", "disk"))
        live = watch(page, desk_pass)
        house.let_pass(1.0)  # what still comes of other tests
        with contextlib.suppress(TimeoutError):
            while True:
                page.recv(timeout=0)

        before = orders(browser)
        assert buyer.buy(lot).status_code == 201
        house.wait_until(lambda: [one["status"] for one in buyer.orders()] == ["CONFIRMED"], "the order")
        confirmed = time.monotonic()
        changed = before
        while changed == before:
            assert json.loads(page.recv(timeout=HEARD_SECONDS)) == {"type": "desk", "live": True}
            changed = orders(browser)

        assert time.monotonic() - confirmed < HEARD_SECONDS
        assert changed == before + 1
        assert (refused["type"], refused["code"]) == ("error", "desk_forbidden")
        assert live == {"type": "desk", "live": True}
        with pytest.raises(TimeoutError):
            bidders.recv(timeout=0.2)
