"""The read cache: no price is wrong for a second, one request reads for all, and nothing depends on Redis."""

import threading
import time
from datetime import timedelta

import pytest
from django.core.cache import caches
from prometheus_client import REGISTRY

from auction_project.kernel import ids
from auction_project.web import cache as optional
from inventory import models
from inventory.search import cache
from inventory.tests.conftest import NOW, receive
from inventory.tests.search import shop

pytestmark = pytest.mark.django_db(databases=["inventory"], transaction=True)


@pytest.fixture(autouse=True)
def cached(settings):
    settings.SHOP_CACHE = True


@pytest.fixture
def name():
    return ids.new_id()


def reads(outcome):
    return REGISTRY.get_sample_value("gavel_shop_cache_reads_total", {"outcome": outcome}) or 0


def price_of(client, product):
    listed = client.get("/api/v1/offers", {"q": product.title}).json()["items"]
    detail = client.get(f"/api/v1/offers/{product.offer.slug}").json()
    return [item["price"] for item in listed] + [detail["price"]]


def test_an_answer_is_read_once_while_it_is_young(name):
    answers, hits = iter([b"1", b"2"]), reads("hit")

    given = [cache.answer(name, lambda: next(answers)) for _ in range(3)]

    assert given == [b"1"] * 3
    assert reads("hit") == hits + 2


def test_a_change_is_seen_at_once(client):
    product = shop.offer(f"Sextant {ids.new_id()}")
    assert price_of(client, product) == ["10.00", "10.00"]
    assert price_of(client, product) == ["10.00", "10.00"]

    shop.set_offer(product, price=999)

    assert price_of(client, product) == ["9.99", "9.99"]
    receive(product, 1)
    assert client.get("/api/v1/offers", {"q": product.title}).json()["items"][0]["available"] in (1, 2)


def test_no_price_is_wrong_for_a_second_even_if_the_change_was_lost(client):
    product = shop.offer(f"Sextant {ids.new_id()}")
    price_of(client, product)

    models.Offer.objects.filter(product=product).update(price=999)  # and no one is told
    changed = time.monotonic()
    while price_of(client, product) != ["9.99", "9.99"]:
        assert time.monotonic() - changed < 1
        time.sleep(0.05)


def test_coming_into_stock_and_selling_out_are_seen_at_once(client):
    product = shop.offer(f"Sextant {ids.new_id()}", stock=0)

    def found():
        return client.get("/api/v1/offers", {"q": product.title, "in_stock": "true"}).json()["total"]

    assert found() == 0
    receive(product, 1)
    assert found() == 1


def test_of_many_requests_for_one_answer_one_reads_and_the_others_wait(name, monkeypatch):
    monkeypatch.setattr(cache, "WAIT_SECONDS", 10.0)  # on a busy machine twenty threads take their time
    read, given = [], []

    def slow():
        read.append(1)
        time.sleep(0.1)
        return b"x"

    def ask():
        given.append(cache.answer(name, slow, seconds=10.0))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(read), given) == (1, [b"x"] * 20)


def test_while_one_reads_the_others_get_the_previous_answer(name):
    cache.answer(name, lambda: b"old")
    cache.invalidate()
    reading, done, previous = threading.Event(), threading.Event(), reads("previous")

    def slow():
        reading.set()
        done.wait(5)
        return b"new"

    thread = threading.Thread(target=lambda: cache.answer(name, slow))
    thread.start()
    reading.wait(5)

    assert cache.answer(name, lambda: b"not read") == b"old"
    done.set()
    thread.join()
    assert cache.answer(name, lambda: b"not read") == b"new"
    assert reads("previous") == previous + 1


def test_what_was_read_before_a_change_is_not_given_after_it(name):
    def read_while_it_changes():
        cache.invalidate()
        return b"old"

    cache.answer(name, read_while_it_changes)

    assert cache.answer(name, lambda: b"new") == b"new"


def test_an_answer_that_could_not_be_read_is_not_kept_and_blocks_no_one(name):
    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cache.answer(name, fail)

    began = time.monotonic()
    assert cache.answer(name, lambda: b"1") == b"1"
    assert time.monotonic() - began < cache.WAIT_SECONDS


def test_a_large_answer_is_not_kept_and_others_are_gone_after_seconds(name):
    cache.answer(name, lambda: b"x" * (cache.MAX_BYTES + 1))
    assert cache.answer(name, lambda: b"2") == b"2"

    client = caches["default"]._cache.get_client()
    keys = [key for key in client.scan_iter(match="*shop:*") if b"generation" not in key]
    assert keys
    assert all(client.pttl(key) <= 1000 * cache.COUNTS_SECONDS for key in keys)
    assert all(client.pttl(key) != -1 for key in keys)  # without an end


def test_without_redis_every_request_reads_for_itself(settings, monkeypatch, client, name):
    monkeypatch.setattr(optional.OptionalCache, "_unavailable_until", 0.0)
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": "redis://127.0.0.1:1/0"}}
    product = shop.offer(f"Sextant {ids.new_id()}")
    answers = iter([b"1", b"2"])

    assert price_of(client, product) == ["10.00", "10.00"]
    models.Offer.objects.filter(product=product).update(price=999, changed_at=NOW + timedelta(1))
    assert price_of(client, product) == ["9.99", "9.99"]
    assert [cache.answer(name, lambda: next(answers)) for _ in range(2)] == [b"1", b"2"]


def test_the_cache_can_be_switched_off(settings, name):
    settings.SHOP_CACHE = False
    answers = iter([b"1", b"2"])

    assert [cache.answer(name, lambda: next(answers)) for _ in range(2)] == [b"1", b"2"]
