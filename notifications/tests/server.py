"""The streams alone, on the web role's WebSocket connections: what `auction_project.asgi` does for them. The argument is
the number of an inherited socket that listens."""

import os
import sys
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auction_project.settings.test")

import django

django.setup()

import uvicorn  # noqa: E402 - after the settings

from auction_project.web import websocket_protocol  # noqa: E402
from notifications.push import hub, routing, sse  # noqa: E402


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await routing.application(scope, receive, send)
    elif scope["type"] == "http":
        await sse.application(scope, receive, send)
    else:
        await _lifespan(receive, send)


async def _lifespan(receive: Any, send: Any) -> None:
    await receive()
    await hub.start()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await hub.stop()
    await send({"type": "lifespan.shutdown.complete"})


if __name__ == "__main__":
    uvicorn.run(
        application, fd=int(sys.argv[1]), loop="uvloop", ws=websocket_protocol.Protocol, lifespan="on"
    )
