"""What the doctor says of the bid log, on a real store."""

import uuid
from collections.abc import AsyncIterator

import pymongo
import pytest
import pytest_asyncio
from django.conf import settings as installed

from auction_project.processes.doctor import work
from auction_project.processes.doctor.checking import Outcome
from bidding.store import mongo
from bidding.tests import lots, stored


@pytest_asyncio.fixture
async def store(settings) -> AsyncIterator[mongo.MongoStore]:
    """A store without indexes, on a database of its own."""
    settings.MONGODB_DATABASE = f"gavel_test_{uuid.uuid4().hex[:12]}"
    opened = mongo.MongoStore(settings.MONGODB_URL, settings.MONGODB_DATABASE)
    yield opened
    await opened.close()
    with pymongo.MongoClient(installed.MONGODB_URL) as client:
        client.drop_database(settings.MONGODB_DATABASE)


async def test_a_log_without_indexes_takes_no_bid(store: mongo.MongoStore) -> None:
    missing = await work.bid_log(now=lots.T0)
    await store.prepare()

    assert (missing.outcome, missing.next.startswith("Run manage.py migrate_all")) == (Outcome.FAIL, True)
    assert (await work.bid_log(now=lots.T0)).outcome is Outcome.OK


@pytest.mark.parametrize(("seconds", "outcome"), [(10, Outcome.OK), (11, Outcome.WARN)])
async def test_entries_that_are_not_published_are_named(
    store: mongo.MongoStore, seconds: int, outcome: Outcome
) -> None:
    await store.prepare()
    entries = lots.open_lot("x").entries
    await store.auctions.insert(stored.a_document("x"))
    await store.bids.append(entries, batch="w:1")

    verdict = await work.bid_log(now=entries[0].at + seconds * 1000)

    assert verdict.outcome is outcome
    if outcome is Outcome.WARN:
        assert verdict.says == "1 auctions have entries that are not published, the oldest for 11 s."
