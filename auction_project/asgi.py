"""The ASGI entry: bounds in front, then the bare paths (bids, streams, health), WebSockets, and Django for the rest.

Two hops to a bid: this table, then `bidding.bid_endpoint`. What a process serves is SERVICES; its background parts (the
bid log's committer, the push hub) start and stop with the server's lifespan.
"""

import gc
import json
import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auction_project.settings.base")

from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

import prometheus_client
from django.conf import settings

from auction_project import bounds, health, needs, roles
from bidding import bid_endpoint, runtime
from notifications import hub, routing, sse

_AUCTIONS, _BIDS = "/api/v1/auctions/", "/bids"
_SERVES_BIDDING = "bidding" in settings.SERVICES
_SERVES_NOTIFICATIONS = "notifications" in settings.SERVICES
_READY = json.dumps(health.readiness("web", ready=True)).encode()
_readiness = needs.Readiness(roles.BY_NAME["web"].needs, vital=("mongodb",))


async def _front(scope: Any, receive: Any, send: Any) -> None:
    kind = scope["type"]
    if kind == "http":
        path: str = scope["path"]
        if (
            _SERVES_BIDDING
            and scope["method"] == "POST"
            and path.endswith(_BIDS)
            and path.startswith(_AUCTIONS)
        ):
            await bid_endpoint.application(scope, receive, send)
        elif _SERVES_NOTIFICATIONS and path == sse.PATH:
            await sse.application(scope, receive, send)
        elif path in _HEALTH:
            await _HEALTH[path](send)
        else:
            await django_application(scope, receive, send)
    elif kind == "websocket" and _SERVES_NOTIFICATIONS:
        await routing.application(scope, receive, send)
    elif kind == "lifespan":
        await _lifespan(receive, send)


async def _lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            if _SERVES_BIDDING:
                await runtime.start()
            if _SERVES_NOTIFICATIONS:
                await hub.start()
            gc.collect()
            gc.freeze()  # what a process starts with is never garbage: collections need not walk through it
            await send({"type": "lifespan.startup.complete"})
        else:
            if _SERVES_NOTIFICATIONS:
                await hub.stop()
            if _SERVES_BIDDING:
                await runtime.stop()
            await send({"type": "lifespan.shutdown.complete"})
            return


async def _livez(send: Any) -> None:
    await _plain(send, 200, b'{"role": "web"}', b"application/json")


async def _readyz(send: Any) -> None:
    """Ready: what bids need answers. Without PostgreSQL or Redis bids are taken all the same."""
    unmet = await _readiness.unmet()
    if unmet:
        await bounds.refuse(send, needs.NotReady("; ".join(f"{need} does not answer" for need in unmet)))
    else:
        await _plain(send, 200, _READY, b"application/json")


async def _metrics(send: Any) -> None:
    await _plain(
        send, 200, prometheus_client.generate_latest(), prometheus_client.CONTENT_TYPE_LATEST.encode()
    )


async def _plain(send: Any, status: int, body: bytes, content_type: bytes) -> None:
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


_HEALTH = {"/livez": _livez, "/readyz": _readyz, "/metrics": _metrics}

application = bounds.Bounds(_front)
