"""Orders of the running stack, for the tests of what follows them."""

from typing import Any

from tests.house import House, Person


def confirmed_order(house: House, buyer: Person, product_id: str, quantity: int = 2) -> str:
    """Buy units of a listing; the number of the order, once it is confirmed."""
    auction_id = house.new_auction(product_id, format="buy_now", start_price="10.00", quantity=3)
    answer = buyer.buy(auction_id, quantity)
    assert answer.status_code in (200, 201), answer.text

    def mine() -> list[dict[str, Any]]:
        orders = [order for order in buyer.orders() if order["auction_id"] == auction_id]
        return [order for order in orders if order["status"] == "CONFIRMED"]

    house.wait_until(mine, "the order to be confirmed")
    return str(mine()[0]["number"])
