"""Nothing that a client can meet ends the demo: every failure costs a turn, and the next one is taken."""

import asyncio
from collections import Counter

import httpx
import pytest
from django.db import OperationalError

from auction_project.kernel import errors
from auction_project.tools.demo import client, people, seed, turns

ACCOUNT = seed.Account(
    people.Person(email="a@example.org", role="bidder", roles=("bidder",), note=""), "user", 1_700_000_000
)


def asking(handler):
    return client.Client("http://house", ACCOUNT, transport=httpx.MockTransport(handler))


def raising(error):
    def handler(_request):
        raise error

    return handler


MET = {
    "no answer (503)": lambda _: httpx.Response(503, json={"code": "store_unavailable"}),
    "no answer (502)": lambda _: httpx.Response(502, text="<html>bad gateway</html>"),
    "no answer (401)": lambda _: httpx.Response(401, json={"code": "not_authenticated"}),
    "no answer (429)": lambda _: httpx.Response(429, json={"code": "too_often"}),
    "no answer (404)": lambda _: httpx.Response(404, json={"code": "not_found"}),
    "no answer (200)": lambda _: httpx.Response(200, text="no JSON"),
    "no answer (ReadTimeout)": raising(httpx.ReadTimeout("slow")),
    "no answer (ConnectError)": raising(httpx.ConnectError("refused")),
    "no answer (RemoteProtocolError)": raising(httpx.RemoteProtocolError("cut off")),
}


async def take(turn, failures, *, until):
    """Take turns until the condition holds."""
    going = asyncio.create_task(turns.keep_taking(turn, pause=lambda: 0.0, failures=failures))
    while not until():
        assert not going.done(), going.exception()
        await asyncio.sleep(0)
    going.cancel()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(turns, "OUTAGE_SECONDS", 0.0)


@pytest.mark.parametrize("cause", MET)
async def test_the_next_turn_is_taken_after_any_answer(cause):
    requests = []

    def handler(request):
        requests.append(request)
        return MET[cause](request) if len(requests) < 4 else httpx.Response(200, json={"items": []})

    answers, failures = [], Counter()
    bidder = asking(handler)

    async def turn():
        answers.append(await bidder.get("/api/v1/auctions"))

    await take(turn, failures, until=lambda: answers)

    assert (answers[0], failures) == ({"items": []}, {cause: 3})
    await bidder.close()


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (OperationalError("away"), "no answer (a store)"),
        (errors.Conflict("stale"), "refused (conflict)"),
        (KeyError("items"), "fault (KeyError)"),
    ],
)
async def test_an_outage_of_a_store_and_a_fault_of_the_demo_cost_a_turn(error, cause):
    taken, failures = [], Counter()

    async def turn():
        taken.append(True)
        if len(taken) < 4:
            raise error

    await take(turn, failures, until=lambda: len(taken) > 4)

    assert failures == {cause: 3}


async def test_after_a_401_the_token_is_a_fresh_one(monkeypatch):
    signed = []
    monkeypatch.setattr(client.tokens, "sign", lambda **_: signed.append(True) or f"token-{len(signed)}")
    shown = []

    def handler(request):
        shown.append(request.headers["authorization"])
        return httpx.Response(401 if len(shown) == 1 else 200, json={})

    bidder = asking(handler)
    with pytest.raises(client.NoAnswer):
        await bidder.get("/")
    await bidder.get("/")
    await bidder.get("/")

    assert shown == ["Bearer token-1", "Bearer token-2", "Bearer token-2"]
    await bidder.close()


async def test_a_refusal_of_a_rule_is_an_answer():
    bidder = asking(lambda _: httpx.Response(409, json={"code": "bid_too_low"}))

    assert await bidder.post("/bids", {}) == (409, {"code": "bid_too_low"})
    await bidder.close()
