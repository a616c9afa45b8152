"""Searches of the shop at OFFERS offers, one after the other, beside the page of one offer, which is a read by its key. Then one
list that CLIENTS ask for, with the read cache and without.

The offers are put into the tables directly, and a web process alone is measured. Titles and descriptions draw their words from
VOCABULARY, frequent and rare ones as in a language, and half of all titles have one word in common: the hardest of each kind of
query is among those that are asked. The queries differ, so that the cache, which is on as in a house, seldom has a whole answer; it
keeps the counts without words for some seconds. The page of one offer is read without it.
"""

import asyncio
import itertools
import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any
from urllib import parse, request

from django.db import connections

from auction_project.kernel import ids
from auction_project.processes import stack
from auction_project.tools.load import http
from benchmarks import figures, processes
from benchmarks.figures import Figure
from inventory import models
from inventory.search import index, tsearch

OFFERS = 100_000
CATEGORIES = 120
QUERIES = 200  # of each kind
VOCABULARY = 20_000
CLIENTS, SECONDS = 16, 5.0
COMMON = "vintage"  # in half of all titles
_SEED = 13
_SYLLABLES = [a + b for a in (*"bcdfgklmnprstv", "st", "br") for b in "aeiou"]
_CONDITIONS = ("NEW", "LIKE_NEW", "GOOD", "FAIR", "FOR_PARTS")


class Shop:
    """The words of the shop, and what its offers are made of. Always the same."""

    def __init__(self) -> None:
        self.chance = random.Random(_SEED)
        made = {
            "".join(self.chance.choices(_SYLLABLES, k=self.chance.randint(2, 4))): None
            for _ in range(3 * VOCABULARY)
        }
        self.words = list(made)[:VOCABULARY]
        self._weights = list(itertools.accumulate(1 / (rank + 10) for rank in range(VOCABULARY)))
        self.titles: list[list[str]] = []

    def draw(self, count: int) -> list[str]:
        return self.chance.choices(self.words, cum_weights=self._weights, k=count)

    def put(self) -> str:
        """Fill the tables; the slug of one offer."""
        with connections[models.DATABASE].cursor() as cursor:
            cursor.execute(
                "INSERT INTO inventory_category (slug, name, position) SELECT 'c' || n, 'Category ' || n, n "
                "FROM generate_series(0, %s) AS n RETURNING id",
                [CATEGORIES - 1],
            )
            categories = [row[0] for row in cursor.fetchall()]
            rows = [self._row(categories) for _ in range(OFFERS)]
            copies: list[tuple[str, Callable[..., tuple[object, ...]]]] = [
                (
                    "inventory_product (id, sku, sku_folded, title, description, condition, category_id, attributes, owner_id, "
                    "image_digest, in_shop, low_threshold, is_low, stock_version, created_at, created_by)",
                    lambda r: (r[0], r[0], r[0], " ".join(r[1]), " ".join(r[2]), r[3], r[4], "[]", "house", "", True, 0, False, 1,
                               r[6], "bench"),
                ),
                (
                    "inventory_balance (product_id, warehouse_id, available, reserved, committed, set_aside)",
                    lambda r: (r[0], "CENTRAL", r[7], 0, 0, 0),
                ),
                (
                    "inventory_offer (product_id, price, currency, max_per_order, published, slug, version, changed_at)",
                    lambda r: (r[0], r[5], "EUR", 5, True, r[0], 1, r[6]),
                ),
                (
                    "inventory_searchentry (product_id, title_words, words, title_share, category_id, condition, currency, price, "
                    "in_stock, published_at, is_compared, compared_up_to)",
                    lambda r: (r[0], tsearch.vector([r[1]]), tsearch.vector([r[1], r[2]]), 1000 // len(r[1]), r[4], r[3],
                               "EUR", r[5], r[7] > 0, r[6], True, ""),
                ),
            ]  # fmt: skip
            for table, columns in copies:
                with cursor.copy(f"COPY {table} FROM STDIN") as copy:
                    for row in rows:
                        copy.write_row(columns(row))
            index.count_all_words()
            for table in ("product", "balance", "offer", "searchentry", "searchword"):
                cursor.execute(f"VACUUM ANALYZE inventory_{table}")
        return str(rows[0][0])

    def _row(self, categories: list[int]) -> tuple[object, ...]:
        chance = self.chance
        title = self.draw(chance.randint(3, 7))
        if chance.random() < 0.5:
            title.insert(0, COMMON)
        self.titles.append(title)
        return (
            ids.new_id(),
            title,
            self.draw(chance.randint(10, 100)),
            chance.choice(_CONDITIONS),
            chance.choice(categories),
            int(chance.lognormvariate(8, 1.5)) + 1,
            f"2026-{chance.randint(1, 11):02}-{chance.randint(1, 28):02} {chance.randint(0, 23):02}:00:{chance.randint(0, 59):02}+00",
            chance.choice((0, 1, 1, 3, 9)),
        )


def _kinds(shop: Shop) -> dict[str, Callable[[], dict[str, Any]]]:
    """A query of each kind, another one at each call."""
    chance = shop.chance

    def phrase() -> str:
        title = chance.choice(shop.titles)
        return f'"{title[-2]} {title[-1]}"'

    def of_title() -> str:
        return " ".join(chance.choice(shop.titles)[-2:])

    return {
        "no words": lambda: {
            "page_size": chance.randint(10, 60), "in_stock": chance.choice(("true", "false")),
            "sort": chance.choice(("newest", "price", "-price")),
        },
        "one word": lambda: {"q": shop.draw(1)[0], "page_size": chance.randint(10, 60)},
        "two words of a title": lambda: {"q": of_title()},
        "a word of half the titles": lambda: {"q": f"{COMMON} ", "page_size": chance.randint(10, 60)},
        "a word of half the titles and another": lambda: {"q": f"{COMMON} {shop.draw(1)[0]}"},
        "the three letters of a beginning": lambda: {"q": shop.draw(1)[0][:3]},
        "a phrase": lambda: {"q": phrase()},
        "a phrase of the most frequent words": lambda: {
            "q": f'"{shop.words[0]} {shop.words[chance.randint(1, 5)]}"', "page_size": chance.randint(10, 60),
        },
        "a word, by price, with filters": lambda: {
            "q": shop.draw(1)[0], "sort": chance.choice(("price", "-price")), "currency": "EUR", "condition": "GOOD",
            "category": f"c{chance.randrange(CATEGORIES)}", "min_price": "5.00", "max_price": "90.00",
        },
        "a category, newest first": lambda: {"category": f"c{chance.randrange(CATEGORIES)}", "sort": "newest"},
    }  # fmt: skip


def run() -> list[Figure]:
    shop = Shop()
    slug = shop.put()
    measured: list[Figure] = []
    health_port = stack.free_port()
    with _serving("false", health_port) as server:
        offer = _times(server.url, (f"/api/v1/offers/{slug}" for _ in range(QUERIES)))
        uncached = asyncio.run(_listed_together(server.url))
    with _serving("true", health_port) as server:
        for kind, query in _kinds(shop).items():
            times = _times(server.url, (_offers(query()) for _ in range(QUERIES)))
            measured += _figures(f"a search for {kind}", times, offer, goal=50)
        second = _next_pages(server.url, shop)
        measured += _figures("the next page of a search", _times(server.url, iter(second)), offer, goal=50)
        typed = (
            f"/api/v1/offers/suggestions?q={shop.draw(1)[0][: shop.chance.randint(1, 4)]}"
            for _ in range(QUERIES)
        )
        measured += _figures("suggestions for a beginning", _times(server.url, typed), offer, goal=20)
        typed = (
            f"/api/v1/offers/suggestions?q={shop.draw(1)[0]}+{shop.draw(1)[0][:2]}" for _ in range(QUERIES)
        )
        measured += _figures("suggestions after a word", _times(server.url, typed), offer, goal=20)
    with _serving("true", health_port) as server:
        cached = asyncio.run(_listed_together(server.url))
        hits = _hit_rate(f"http://127.0.0.1:{health_port}")
    return [
        *measured,
        Figure(
            name=f"lists/s of {CLIENTS} clients that ask for the same",
            value=cached,
            beside="without the read cache",
            reference=uncached,
            goal=figures.at_least_of_reference(2),
        ),
        Figure(
            name=f"hits of the read cache, {CLIENTS} clients that ask for the same",
            value=100 * hits,
            unit="%",
        ),
    ]


def _serving(cache: str, health_port: int) -> AbstractContextManager[processes.Server]:
    environment = {"SERVICES": "inventory", "SHOP_CACHE": cache, "GAVEL_HEALTH_PORT": str(health_port)}
    return processes.serving("manage.py", "web", path="/api/v1/categories", environment=environment)


def _offers(query: dict[str, Any]) -> str:
    return f"/api/v1/offers?{parse.urlencode(query)}"


def _figures(name: str, times: list[float], reference: list[float], *, goal: float) -> list[Figure]:
    return [
        Figure(
            name=f"{name}, p{percent}",
            value=figures.percentile(times, percent),
            unit="ms",
            beside="the page of one offer",
            reference=figures.percentile(reference, percent),
            goal=figures.at_most(goal) if percent == 99 else None,
        )
        for percent in (50, 99)
    ]


def _times(url: str, paths: Iterator[str]) -> list[float]:
    """Milliseconds of each, one after the other; the first ones warm up."""

    async def ask() -> list[float]:
        link = await http.connect(*http.loopback_address(url))
        times = []
        for path in paths:
            began = time.monotonic()
            status, body = await link.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert status == 200, (path, body)
            times.append(1000 * (time.monotonic() - began))
        link.close()
        return times

    return asyncio.run(ask())[QUERIES // 20 :]


def _next_pages(url: str, shop: Shop) -> list[str]:
    """The addresses of second pages, in all orders."""
    paths = []
    for number in range(QUERIES):
        query = {
            "q": shop.draw(1)[0] if number % 2 else f"{COMMON} ",
            "sort": ("relevance", "price", "-price", "newest")[number % 4],
        }
        with request.urlopen(url + _offers(query)) as answer:
            if cursor := json.load(answer)["next"]:
                paths.append(_offers(query | {"cursor": cursor}))
    return paths


async def _listed_together(url: str) -> float:
    """Lists per second of all clients."""
    until, count = time.monotonic() + SECONDS, 0

    async def ask() -> None:
        nonlocal count
        link = await http.connect(*http.loopback_address(url))
        while time.monotonic() < until:
            status, _ = await link.send(
                f"GET {_offers({'q': COMMON})} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
            )
            assert status == 200
            count += 1
        link.close()

    await asyncio.gather(*(ask() for _ in range(CLIENTS)))
    return count / SECONDS


def _hit_rate(url: str) -> float:
    """The share of reads that were answered by the cache."""
    with request.urlopen(f"{url}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    reads = {
        line.partition("{")[2]: float(line.rpartition(" ")[2])
        for line in lines
        if line.startswith("gavel_shop_cache_reads_total{")
    }
    misses = sum(value for labels, value in reads.items() if "miss" in labels)
    return 1 - misses / sum(reads.values())
