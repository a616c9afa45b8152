"""`manage.py web`: the web role, under uvicorn."""

import argparse
import signal
import sys

import uvicorn
from django.core.management.base import BaseCommand

BACKLOG = 4096
GRACE_SECONDS = 10


class Command(BaseCommand):
    help = "Serve pages, REST, WebSocket and SSE. SIGTERM finishes the requests in hand, then stops."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on (default: %(default)s)")

    def handle(self, *_args: object, **options: object) -> None:
        # uvicorn drains, then raises the signal again: that is a clean end.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        uvicorn.run(
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
