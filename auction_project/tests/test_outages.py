"""A store that is stopped, or that hangs: no request waits long, each gets 503 or does without the store, and no lock is
kept for ever.
"""

import socket
import time
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import django.db
import pytest
from django.core.cache import caches
from django.db import connections, transaction
from django.test import RequestFactory

from auction_project.kernel import databases
from auction_project.kernel.messaging import failure
from auction_project.kernel.postgresql.base import DatabaseWrapper
from auction_project.web import cache, middleware

pytestmark = pytest.mark.django_db(databases=databases.ALIASES, transaction=True)

ANSWERED_WITHIN_SECONDS = 2.0
ADVISORY_LOCK = "SELECT pg_advisory_xact_lock(1)"


@pytest.fixture
def holder() -> Iterator[Any]:
    """A second session, in a transaction that holds a lock."""
    session = connections["orders"].copy()
    session.set_autocommit(False)
    with session.cursor() as cursor:
        cursor.execute(ADVISORY_LOCK)
    yield session
    session.close()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def status_of(error: Exception) -> int:
    """What a client is answered when a view raises `error`."""
    response = middleware.ProblemMiddleware(lambda _: None).process_exception(
        RequestFactory().get("/"), error
    )
    return response.status_code if response else 500


@pytest.mark.parametrize("alias", databases.ALIASES)
def test_every_session_gives_up_waiting_and_is_given_up(alias: str) -> None:
    names = ("lock_timeout", "idle_in_transaction_session_timeout", "tcp_keepalives_idle")
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(f"current_setting('{name}')" for name in names))

        assert cursor.fetchone() == ("5s", "30s", "5")


def test_a_lock_that_is_not_to_be_had_in_time_is_an_outage(holder: Any) -> None:
    with connections["orders"].cursor() as cursor:
        cursor.execute("SET lock_timeout = '100ms'")
        with pytest.raises(django.db.OperationalError) as given_up:
            cursor.execute(ADVISORY_LOCK)

    assert failure.classify(given_up.value) is failure.Fate.OUTAGE
    assert status_of(given_up.value) == 503


def test_a_process_that_stands_still_in_a_transaction_loses_its_lock_and_meets_an_outage(holder: Any) -> None:
    with holder.cursor() as cursor:
        cursor.execute("SET idle_in_transaction_session_timeout = '100ms'")

    with transaction.atomic(using="orders"), connections["orders"].cursor() as cursor:
        cursor.execute(ADVISORY_LOCK)
    with pytest.raises(django.db.Error) as ended, holder.cursor() as cursor:
        cursor.execute("SELECT 1")

    assert failure.classify(ended.value) is failure.Fate.OUTAGE
    assert status_of(ended.value) == 503


@pytest.mark.parametrize("port", ["closed_port", "silent_port"])
def test_without_postgresql_a_request_hears_503_in_time(
    request: pytest.FixtureRequest, settings: Any, port: str
) -> None:
    parameters = deepcopy(connections["orders"].settings_dict) | {"PORT": request.getfixturevalue(port)}
    parameters["OPTIONS"]["pool"] = settings.DATABASE_POOL
    away = DatabaseWrapper(parameters, alias="away")

    began = time.monotonic()
    with pytest.raises(django.db.Error) as refused:
        away.ensure_connection()
    seconds = time.monotonic() - began
    away.close_pool()

    assert status_of(refused.value) == 503
    assert seconds < ANSWERED_WITHIN_SECONDS


def test_no_request_gets_a_session_that_the_server_has_ended(settings: Any) -> None:
    parameters = deepcopy(connections["orders"].settings_dict)
    parameters["OPTIONS"] |= {"pool": settings.DATABASE_POOL, "application_name": "restarted"}
    sessions = [DatabaseWrapper(parameters, alias="restarted") for _ in range(4)]
    for session in sessions:
        session.ensure_connection()
    for session in sessions:
        session.close()
    with connections["orders"].cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = 'restarted'"
        )
        assert cursor.fetchall() == [(True,)] * len(
            sessions
        )  # each has ended, which it was given ten seconds for

    try:
        for session in sessions:
            with session.cursor() as cursor:
                cursor.execute("SELECT 1")
                assert cursor.fetchone() == (1,)
    finally:
        for session in sessions:
            session.close()
        sessions[0].close_pool()


@pytest.mark.parametrize("port", ["closed_port", "silent_port"])
def test_without_the_cache_everything_is_a_miss_and_nobody_waits_twice(
    request: pytest.FixtureRequest, settings: Any, monkeypatch: pytest.MonkeyPatch, port: str
) -> None:
    away = f"redis://127.0.0.1:{request.getfixturevalue(port)}/0"
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": away}}
    monkeypatch.setattr(cache.OptionalCache, "_unavailable_until", 0.0)

    began = time.monotonic()
    answers = [caches["default"].get("key", "none"), caches["default"].add("key", 1)]
    answers += [caches["default"].set("key", 1), caches["default"].delete("key")]

    assert answers == ["none", True, None, False]
    assert time.monotonic() - began < 0.6


def test_the_cache_keeps_what_it_is_given_while_redis_answers() -> None:
    kept = caches["default"]
    kept.set("outages", 1, 5)

    assert (kept.get("outages"), kept.add("outages", 2), kept.delete("outages"), kept.get("outages")) == (
        1,
        False,
        True,
        None,
    )
