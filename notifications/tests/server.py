"""The streams alone, as an ASGI application for a real server: what `auction_project.asgi` does for them."""

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auction_project.settings.test")

import django

django.setup()

from notifications.push import hub, routing, sse  # noqa: E402 - after the settings


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
