"""Offers of the house and buyers with an address, for tests of the shop's pages."""

import re
import uuid
from typing import Any

from tests import house as houses
from tests.browser import visitor

PAID = re.compile(r"/orders/[A-Za-z0-9-]+#paid$")  # where a payment leads to
ADDRESS = {
    "name": "A. Buyer",
    "line1": "Hauptstraße 1",
    "postal_code": "10115",
    "city": "Berlin",
    "country": "DE",
}


class Shop:
    """See the module."""

    def __init__(self, house: houses.House) -> None:
        self._house = house

    def offer(self, title: str, price: str = "20.50", *, stock: int = 9, most: int = 5) -> dict[str, Any]:
        """A product that is for sale, once orders and the search know it. Its title gets a word of its own."""
        word = uuid.uuid4().hex[:8]
        offer = self.set_price(
            self._house.new_product(stock=stock, title=f"{title} {word}"), price, most=most
        )
        self._house.wait_until(lambda: self.found(word) == 1, "the search to know the offer")
        return offer

    def set_price(
        self, product_id: str, price: str, *, most: int = 5, published: bool = True
    ) -> dict[str, Any]:
        """The offer at this price, once orders knows it."""
        body = {"price": price, "currency": "EUR", "max_per_order": most, "published": published}
        answer = self._house.operator.put(f"/api/v1/products/{product_id}/offer", body)
        assert answer.status_code == 200, answer.text
        offer = dict(answer.json())
        newest = "SELECT version FROM orders_offer WHERE product_id = %s"
        self._house.wait_until(
            lambda: self._house.value("orders", newest, product_id) == offer["version"],
            "orders to know the offer",
        )
        return offer

    def found(self, q: str) -> int:
        """How many offers a search finds."""
        return int(self._house.http.get("/api/v1/offers", params={"q": q}).json()["total"])

    def buyer(self, card: str | None = houses.ACCEPTS, *, has_address: bool = True) -> houses.Person:
        person = self._house.new_account("bidder", card=card)
        if has_address:
            assert person.post("/api/v1/addresses", ADDRESS).status_code == 201
        return person


def put_into_cart(window: visitor.Window, offer: dict[str, Any], quantity: int = 1) -> None:
    window.page.goto(f"/shop/p/{offer['slug']}")
    window.page.get_by_role("spinbutton", name="Quantity").fill(str(quantity))
    window.page.get_by_role("button", name="Add to cart").click()
    window.expect_text("#added", "in your cart")


def check_out(window: visitor.Window) -> None:
    """From the cart to a checkout of which the units are reserved, at the only address of the buyer."""
    window.page.goto("/cart")
    window.page.get_by_role("link", name="Check out").click()
    window.page.get_by_role("button", name="Ship to this address").click()
    window.expect_text("#state", "Everything is reserved for you")
