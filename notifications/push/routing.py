"""Which WebSocket path leads where."""

from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import path, re_path

from notifications.push import websocket

application = ProtocolTypeRouter(
    {
        "websocket": URLRouter(
            [
                path("ws/v1/stream", websocket.Stream.as_asgi()),
                re_path(r"", websocket.UnknownPath.as_asgi()),
            ]
        )
    }
)
