"""The ASGI entry: the bare paths (bids, streams, health), WebSockets, and Django for the rest, each inside its
middleware.

Three hops to a bid: this table, `asgi_middleware` and `bounds`, then `bidding.rest.bid_endpoint`. A plain bid comes there by
`bids_fast_path` in place of the first two. What a process serves is SERVICES; its background parts (the bid log's
committer, the push hub) start and stop with the server's lifespan.
"""

import asyncio
import gc
import json
import os
import re
import time
from collections.abc import Coroutine
from concurrent import futures
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auction_project.settings.base")

from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from django.conf import settings
from django.urls import get_resolver

from auction_project import bootstrap
from auction_project.kernel import ids
from auction_project.kernel.http import addresses, answers
from auction_project.processes import health, needs, roles
from auction_project.web import asgi_middleware, bounds, fast_path, metrics, timing
from bidding.rest import bid_endpoint
from notifications.push import routing, sse

ANSWER_SECONDS = 4.0  # below the time-outs of probes
_AUCTIONS, _BIDS = "/api/v1/auctions/", "/bids"
_SERVES_BIDDING = "bidding" in settings.SERVICES
_SERVES_NOTIFICATIONS = "notifications" in settings.SERVICES
_HAS_PROXIES = settings.TRUSTED_PROXY_COUNT > 0
_READY = json.dumps(health.readiness("web", ready=True)).encode()
_readiness = needs.Readiness(roles.BY_NAME["web"].needs, vital=("mongodb",) if _SERVES_BIDDING else ())


async def application(scope: Any, receive: Any, send: Any) -> None:
    kind = scope["type"]
    if kind == "lifespan":
        await _lifespan(receive, send)
        return
    if _HAS_PROXIES:
        addresses.believe_proxies(scope)
    if kind == "http":
        path: str = scope["path"]
        if (
            _SERVES_BIDDING
            and scope["method"] == "POST"
            and path.endswith(_BIDS)
            and path.startswith(_AUCTIONS)
        ):
            await _bids(scope, receive, send)
        else:
            await _BARE.get(path, _django)(scope, receive, send)
    elif kind == "websocket" and _SERVES_NOTIFICATIONS:
        await routing.application(scope, receive, send)


async def _lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            get_resolver().url_patterns  # noqa: B018 - loads the apps' views and admins, which no request should wait for
            await bootstrap.start_web()
            state.loop = asyncio.get_running_loop()
            gc.collect()
            gc.freeze()  # what a process starts with is never garbage: collections need not walk through it
            await send({"type": "lifespan.startup.complete"})
        else:
            await bootstrap.stop_web()
            await send({"type": "lifespan.shutdown.complete"})
            return


class WebState(health.State):
    """What the private health port says of this process: whether the loop that serves its requests answers."""

    loop: asyncio.AbstractEventLoop | None = None
    is_leaving = False  # it serves what comes, and asks for no more

    def stale_loops(self) -> list[str]:
        return [] if self.loop is None or _answers(self.loop, asyncio.sleep(0, True)) else ["web"]

    def is_ready(self, *, within_seconds: float | None = None) -> bool:
        return (
            self.loop is not None and not self.is_leaving and _answers(self.loop, _is_ready(), within_seconds)
        )


def _answers(
    loop: asyncio.AbstractEventLoop, question: Coroutine[Any, Any, bool], seconds: float | None = None
) -> bool:
    """What `loop` answers within `seconds`, or ANSWER_SECONDS; False without an answer. For other threads."""
    try:
        answer = asyncio.run_coroutine_threadsafe(question, loop)
    except RuntimeError:  # the loop has ended
        question.close()
        return False
    try:
        return answer.result(seconds or ANSWER_SECONDS)
    except (TimeoutError, futures.CancelledError):
        answer.cancel()  # in the loop, where the question may be under way
        return False


async def _is_ready() -> bool:
    return not await _readiness.unmet()


async def _livez(_scope: Any, _receive: Any, send: Any) -> None:
    await answers.send_whole(send, 200, answers.JSON, b'{"role": "web"}')


async def _readyz(_scope: Any, _receive: Any, send: Any) -> None:
    """Ready: what bids need answers. Without PostgreSQL or Redis bids are taken all the same."""
    unmet = await _readiness.unmet()
    if state.is_leaving:
        await answers.refuse(send, needs.NotReady("This process is about to end."))
    elif unmet:
        await answers.refuse(send, needs.NotReady("; ".join(f"{need} does not answer" for need in unmet)))
    else:
        await answers.send_whole(send, 200, answers.JSON, _READY)


def _loop_seconds() -> dict[tuple[str, ...], float]:
    """How long the loop takes to answer; ANSWER_SECONDS without an answer, and nothing before it runs."""
    began = time.monotonic()
    if state.loop is None:
        return {}
    _answers(state.loop, asyncio.sleep(0, True))
    return {(): time.monotonic() - began}


state = WebState("web")
metrics.loop_seconds.measure_by(_loop_seconds)
_django = timing.Timed(asgi_middleware.Framework(django_application))
_bare_bids = asgi_middleware.Bare(bounds.Bounds(bid_endpoint.application))
_bids = timing.Timed(_bare_bids, route=timing.BID)
bids_fast_path = (
    fast_path.FastPath(
        bid_endpoint.place,
        targets=re.compile(f"/api/v1/auctions/{ids.ID_FORM}/bids".encode()),
        bare=_bare_bids,
    )
    if _SERVES_BIDDING
    else None
)
_BARE: dict[str, Any] = {"/livez": asgi_middleware.Bare(_livez), "/readyz": asgi_middleware.Bare(_readyz)}
if _SERVES_NOTIFICATIONS:
    _BARE[sse.PATH] = timing.Timed(asgi_middleware.Bare(bounds.Bounds(sse.application)))
