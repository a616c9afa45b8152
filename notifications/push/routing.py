"""Which WebSocket path leads where, behind the front of handshakes."""

from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import path, re_path

from notifications.push import handshakes, websocket

application = handshakes.Front(
    ProtocolTypeRouter(
        {
            "websocket": URLRouter(
                [
                    path("ws/v1/stream", websocket.Stream.as_asgi()),
                    re_path(r"", websocket.UnknownPath.as_asgi()),
                ]
            )
        }
    )
)
