"""A shop for the tests of searches: products that are offered in one line, and searches of what is typed."""

import itertools
from datetime import timedelta
from typing import Any

from auction_project.kernel import ids, words
from inventory import models, selectors, services
from inventory.search import counting, finding, searches, tree
from inventory.tests.conftest import NOW, open_warehouses, receive

_serial = itertools.count(1)


def offer(
    title: str, *, price: int = 1000, stock: int = 1, published: bool = True, **more: Any
) -> models.Product:
    """A product that is for sale. Each one is a second newer than the one before."""
    open_warehouses()
    number = next(_serial)
    terms = {name: more.pop(name) for name in ("currency", "max_per_order") if name in more}
    product = services.create_product(
        **{
            "product_id": ids.new_id(),
            "sku": f"SEARCH-{number}",
            "title": title,
            "description": "",
            "condition": "GOOD",
            "owner_id": models.HOUSE,
            "actor": "test",
            "now": NOW,
        }
        | more
    )
    if stock:
        receive(product, stock)
    set_offer(product, price=price, published=published, now=NOW + timedelta(seconds=number), **terms)
    return product


def set_offer(product: models.Product, **changes: Any) -> models.Offer:
    terms = {
        "price": 1000,
        "currency": "EUR",
        "max_per_order": 5,
        "published": True,
        "actor": "test",
        "now": NOW,
    }
    return services.set_offer(product_id=product.id, **terms | changes)


def search(text: str = "", **filters: Any) -> searches.Search:
    return searches.Search(terms=words.parse(text), **filters)


def find(
    text: str = "", *, sort: str = "", cursor: str | None = None, limit: int = 100, **filters: Any
) -> list[str]:
    """The titles that are found, in their order."""
    return page(text, sort=sort, cursor=cursor, limit=limit, **filters)[0]


def page(
    text: str = "", *, sort: str = "", cursor: str | None = None, limit: int = 100, **filters: Any
) -> tuple[list[str], str | None]:
    """The titles of a page, and the cursor of the next one."""
    wanted = search(text, **filters)
    found = finding.find(
        wanted,
        searches.sort_of(wanted, sort),
        counts=counting.count(wanted, tree.Tree()),
        cursor=cursor,
        limit=limit,
    )
    return [one.product.title for one in selectors.list_offers_of(found.product_ids)], found.next
