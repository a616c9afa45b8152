"""WebSocket connections of the web role: uvicorn's protocol, and a way to write a ready-made frame without a task.

A frame for a crowd is the same bytes for each of its sockets. In the extension WRITE of its scope a connection offers
`write(frame) -> bool`: it writes the bytes at once, or answers False while it cannot take them, and then they go by `send`.
"""

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from notifications.push.websocket import WRITE


class Protocol(WebSocketsSansIOProtocol):
    """One connection."""

    scope: Any

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope["extensions"][WRITE] = self.write_at_once

    def write_at_once(self, frame: bytes) -> bool:
        """Write a whole WebSocket frame. False: the handshake is not over, the connection ends, or more waits to be sent than
        it takes."""
        if (
            not self.writable.is_set()
            or not self.handshake_complete
            or self.close_sent
            or self.transport.is_closing()
        ):
            return False
        self.transport.write(frame)
        return True
