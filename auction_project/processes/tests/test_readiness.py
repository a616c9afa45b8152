"""When the web process is ready, what a probe hears, and what it costs."""

import asyncio
import threading
from typing import Any

import django.db
import httpx
import pytest
from django.db import connections

from auction_project import asgi
from auction_project.processes import needs

REASON = 'connection to "10.0.0.5" failed for user "gavel_orders"'


@pytest.fixture
def stores(monkeypatch: pytest.MonkeyPatch) -> "Stores":
    monkeypatch.setattr(needs, "ANSWER_SECONDS", 0.0)
    found = Stores()
    for kind in ("postgres", "redis", "mongodb"):
        monkeypatch.setitem(needs._CHECKS, kind, lambda _name, kind=kind: found.answer(kind))
    return found


class Stores:
    """Those in `away` do not answer; whoever asks is counted."""

    def __init__(self) -> None:
        self.away: set[str] = set()
        self.asked: list[str] = []

    def answer(self, kind: str) -> None:
        self.asked.append(kind)
        if kind in self.away:
            raise django.db.OperationalError(REASON)


def _readiness() -> needs.Readiness:
    return needs.Readiness(("postgres:default", "mongodb", "redis"), vital=("mongodb",))


async def _probe(monkeypatch: pytest.MonkeyPatch, readiness: needs.Readiness) -> httpx.Response:
    monkeypatch.setattr(asgi, "_readiness", readiness)
    transport = httpx.ASGITransport(app=asgi.application)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.get("/readyz")


class _Loop:
    """An event loop that runs in a thread of its own, until it is stopped."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()


def test_the_private_port_says_whether_the_loop_answers(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asgi, "_readiness", _readiness())
    monkeypatch.setattr(asgi, "ANSWER_SECONDS", 0.5)
    state = asgi.WebState("web")
    assert (state.stale_loops(), state.is_ready()) == ([], False)  # it starts: alive, and not ready

    running = _Loop()
    state.loop = running.loop
    monkeypatch.setattr(asgi, "ANSWER_SECONDS", 20.0)
    assert (state.stale_loops(), state.is_ready()) == ([], True)
    stores.away = {"mongodb"}
    assert (state.stale_loops(), state.is_ready()) == ([], False)

    running.stop()
    monkeypatch.setattr(asgi, "ANSWER_SECONDS", 0.1)
    assert (state.stale_loops(), state.is_ready()) == (["web"], False)
    running.loop.run_until_complete(asyncio.sleep(0.2))  # what was asked ends, too
    running.loop.close()
    assert (state.stale_loops(), state.is_ready()) == (["web"], False)


async def test_everything_must_have_answered_once_and_then_what_bids_need(stores: Stores) -> None:
    readiness = _readiness()
    stores.away = {"postgres", "redis"}
    assert await readiness.unmet() == ["postgres:default", "redis"]
    stores.away = {"redis"}
    assert await readiness.unmet() == ["redis"]
    stores.away = set()
    assert await readiness.unmet() == []

    stores.away = {"postgres", "redis"}
    stores.asked.clear()
    assert await readiness.unmet() == []
    assert stores.asked == ["mongodb"]
    stores.away = {"mongodb"}
    assert await readiness.unmet() == ["mongodb"]


async def test_a_probe_hears_the_names_and_the_log_the_reasons(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stores.away = {"postgres"}
    readiness = _readiness()

    refused = await _probe(monkeypatch, readiness)
    await _probe(monkeypatch, readiness)
    stores.away = set()
    ready = await _probe(monkeypatch, readiness)

    assert (refused.status_code, refused.json()["code"]) == (503, "not_ready")
    assert refused.json()["detail"] == "postgres:default does not answer"
    assert "10.0.0.5" not in refused.text
    assert (ready.status_code, ready.json()) == (200, {"role": "web", "ready": True})
    told = [record.msg for record in caplog.records if "not_ready" in str(record.msg)]
    assert [line["reasons"] for line in told if isinstance(line, dict)] == [[f"postgres:default: {REASON}"]]


async def test_however_many_probe_the_stores_are_asked_once(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(needs, "ANSWER_SECONDS", 60.0)
    readiness = _readiness()

    answers = await asyncio.gather(*(readiness.unmet() for _ in range(50)))

    assert answers == [[]] * 50
    assert sorted(stores.asked) == ["mongodb", "postgres", "redis"]


@pytest.mark.django_db(databases=["default"], transaction=True)
def test_postgres_is_asked_for_its_migrations_once_and_no_connection_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checked: list[str] = []
    check = needs._check_migrations
    monkeypatch.setattr(needs, "_migrated", set())
    monkeypatch.setattr(needs, "_check_migrations", lambda alias: (checked.append(alias), check(alias)))
    found: list[Any] = []

    def ask() -> None:
        for _ in range(3):
            found.append((needs.missing("postgres:default"), connections["default"].connection))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(30)

    assert found == [(None, None)] * 3
    assert checked == ["default"]
