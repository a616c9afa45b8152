"""What bidding's tests share: databases of their own on the server of MONGODB_URL, dropped afterwards."""

import asyncio
import contextlib
import uuid

import pymongo
import pytest
from django.conf import settings

from auction_project.kernel import errors
from auction_project.kernel.messaging.backends import memory
from bidding import runtime
from bidding.catalogue import catalogue
from bidding.publishing import messages as log_messages
from bidding.publishing import relay as log_relay
from bidding.publishing.pace import Pace
from bidding.store import client, mongo
from bidding.tests import lots, relaying, scripted_store, virtual_time


def pytest_asyncio_loop_factories(item):
    """The event loop of a test."""
    jumps = item.get_closest_marker("virtual_time") is not None
    return {"virtual": virtual_time.Loop} if jumps else {"real": asyncio.new_event_loop}


@pytest.fixture(scope="session", autouse=True)
def patience_with_redis():
    """No result depends on how busy the machine is, on which all tests run at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "ANSWER_SECONDS", 30.0)
        yield


@pytest.fixture
def patience(monkeypatch):
    """The store has time on a busy machine, where it is not the time that is tested."""
    monkeypatch.setattr(client, "OPERATION_SECONDS", 20.0)


@pytest.fixture
def database_name():
    name = f"gavel_test_{uuid.uuid4().hex[:12]}"
    yield name
    with (
        contextlib.suppress(pymongo.errors.PyMongoError),
        pymongo.MongoClient(settings.MONGODB_URL) as client,
    ):
        client.drop_database(name)


@pytest.fixture
async def log_store(database_name):
    """A prepared store on a database of its own."""
    opened = mongo.MongoStore(settings.MONGODB_URL, database_name)
    await opened.prepare()
    yield opened
    await opened.close()


@pytest.fixture
def raw(log_store, database_name):
    """The server itself, without our code in between."""
    with pymongo.MongoClient(settings.MONGODB_URL) as client:
        yield client[database_name]


@pytest.fixture
def bid_log(database_name, settings):
    """The process's runtime on a database of its own, its loop in a thread."""
    runtime.current.close()
    settings.MONGODB_DATABASE = database_name
    runtime.call(runtime.current().store.prepare())
    yield runtime
    if runtime.current.is_made:
        with contextlib.suppress(errors.Unavailable):
            runtime.call(runtime.current().catalogue.empty())
    runtime.current.close()


@pytest.fixture
def scripted():
    """A store that misbehaves by script, with three open lots: x, y and z."""
    scripted = scripted_store.ScriptedStore()
    for auction_id in ("x", "y", "z"):
        scripted.holds(lots.open_lot(auction_id).entries)
    return scripted


@pytest.fixture
async def writer(scripted):
    """A committer on it. After each test its logs must be sound."""
    writer = scripted_store.writer_on(scripted)
    writer.start()
    yield writer
    if scripted._arrested:
        scripted.release()
    await writer.stop()
    assert scripted_store.flaw(scripted) is None


@pytest.fixture
def log(patience, bid_log):
    """Writes logs into the store, in the batches of a writer that the test names."""
    return relaying.Log(bid_log)


@pytest.fixture
def transport():
    broker = memory.MemoryBroker()
    broker.begin_epoch(log_messages.SOURCE)
    return broker


@pytest.fixture
def make_relay(log, transport):
    """Make a relay with another pace. It asks the writers at each step, because the logs of these tests name no batch."""
    often = {"heard_poll_seconds": 0.0, "idle_step_seconds": 0.025, "saving_step_seconds": 0.025}
    return lambda **pace: log_relay.LogRelay(transport, readers={}, pace=Pace(**(often | pace)))


@pytest.fixture
def relay(make_relay):
    return make_relay()
