"""`manage.py web`: the web role, under uvicorn."""

import argparse
import contextlib
import signal
import socket
import sys

import uvicorn

from auction_project import running
from notifications import hub

BACKLOG = 4096
GRACE_SECONDS = 10


class Server(uvicorn.Server):
    """Waits for every answer that is under way, but for streams, which have no end of their own."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        hub.end_streams()
        await super().shutdown(sockets)


class Command(running.RoleCommand):
    help = "Serve pages, REST, WebSocket and SSE. SIGTERM finishes the requests in hand, then stops."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on (default: %(default)s)")
        parser.add_argument(
            "--fd", type=int, help="a listening socket that the parent process hands down, instead of both"
        )

    def handle(self, *_args: object, **options: object) -> None:
        # uvicorn drains, then raises the signal again: that is a clean end.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        config = uvicorn.Config(
            "auction_project.asgi:application",
            host=str(options["host"]),
            port=int(str(options["port"])),
            loop="uvloop",
            http="httptools",
            ws="websockets-sansio",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=GRACE_SECONDS,
            ws_max_size=16 * 1024,
            ws_per_message_deflate=False,  # costs CPU per socket and frame; frames are small
        )
        inherited = options["fd"]
        sockets = None if inherited is None else [socket.socket(fileno=int(str(inherited)))]
        with contextlib.suppress(KeyboardInterrupt):  # SIGINT, raised again in the same way
            Server(config).run(sockets=sockets)
