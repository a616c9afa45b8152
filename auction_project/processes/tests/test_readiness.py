"""When the web process is ready, what a probe gets, and what it costs."""

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
    fake = Stores()
    for kind in ("postgres", "redis", "mongodb"):
        monkeypatch.setitem(needs._CHECKS, kind, lambda _name, kind=kind: fake.answer(kind))
    return fake


class Stores:
    """Those in `down` do not answer; `checked` lists the checks."""

    def __init__(self) -> None:
        self.down: set[str] = set()
        self.checked: list[str] = []

    def answer(self, kind: str) -> None:
        self.checked.append(kind)
        if kind in self.down:
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
    stores.down = {"mongodb"}
    assert (state.stale_loops(), state.is_ready()) == ([], False)

    running.stop()
    monkeypatch.setattr(asgi, "ANSWER_SECONDS", 0.1)
    assert (state.stale_loops(), state.is_ready()) == (["web"], False)
    running.loop.run_until_complete(_end_probes())
    running.loop.close()
    assert (state.stale_loops(), state.is_ready()) == (["web"], False)


async def _end_probes() -> None:
    """Await the probes that came while the loop was stopped."""
    probes = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*probes, return_exceptions=True)


async def test_everything_must_have_answered_once_and_then_what_bids_need(stores: Stores) -> None:
    readiness = _readiness()
    stores.down = {"postgres", "redis"}
    assert await readiness.unmet() == ["postgres:default", "redis"]
    stores.down = {"redis"}
    assert await readiness.unmet() == ["redis"]
    stores.down = set()
    assert await readiness.unmet() == []

    stores.down = {"postgres", "redis"}
    stores.checked.clear()
    assert await readiness.unmet() == []
    assert stores.checked == ["mongodb"]
    stores.down = {"mongodb"}
    assert await readiness.unmet() == ["mongodb"]


async def test_a_probe_gets_the_names_and_the_log_the_reasons(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stores.down = {"postgres"}
    readiness = _readiness()

    refused = await _probe(monkeypatch, readiness)
    await _probe(monkeypatch, readiness)
    stores.down = set()
    ready = await _probe(monkeypatch, readiness)

    assert (refused.status_code, refused.json()["code"]) == (503, "not_ready")
    assert refused.json()["detail"] == "postgres:default does not answer"
    assert "10.0.0.5" not in refused.text
    assert (ready.status_code, ready.json()) == (200, {"role": "web", "ready": True})
    logged = [record.msg for record in caplog.records if "not_ready" in str(record.msg)]
    assert [line["reasons"] for line in logged if isinstance(line, dict)] == [[f"postgres:default: {REASON}"]]


async def test_many_probes_at_once_check_each_store_once(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(needs, "ANSWER_SECONDS", 60.0)
    readiness = _readiness()

    answers = await asyncio.gather(*(readiness.unmet() for _ in range(50)))

    assert answers == [[]] * 50
    assert sorted(stores.checked) == ["mongodb", "postgres", "redis"]


@pytest.mark.django_db(databases=["default"], transaction=True)
def test_migrations_are_checked_once_and_no_connection_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checked: list[str] = []
    pending = needs.pending_migrations
    monkeypatch.setattr(needs, "_migrated", set())
    results: list[Any] = []

    def check(connection: Any) -> int:
        checked.append(connection.alias)
        return pending(connection)

    monkeypatch.setattr(needs, "pending_migrations", check)

    def check_thrice() -> None:
        for _ in range(3):
            results.append((needs.missing("postgres:default"), connections["default"].connection))

    thread = threading.Thread(target=check_thrice)
    thread.start()
    thread.join(30)

    assert results == [(None, None)] * 3
    assert checked == ["default"]
