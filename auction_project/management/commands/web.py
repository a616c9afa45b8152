"""`manage.py web`: serves pages, REST, WebSocket and SSE under uvicorn."""

import argparse
import asyncio
import contextlib
import functools
import signal
import socket
import sys
from typing import Any

import uvicorn
from django.conf import settings

from auction_project import asgi
from auction_project.kernel import logs, tracing
from auction_project.processes import figures, health, registry, running
from auction_project.web import fast_path, http_protocol, websocket_protocol
from notifications import metrics
from notifications.push import hub

BACKLOG = 4096
GRACE_SECONDS = 10
KEEP_ALIVE_SECONDS = 15  # a connection without a request
LEAVE_SECONDS = 2.5  # the gateway looks every second, and twice more at once

log = logs.get(__name__)


class Server(uvicorn.Server):
    """At its end waits for every answer that is under way, and ends the streams, which have no end of their own.

    SIGUSR1 lets it leave a gateway first: for LEAVE_SECONDS it serves and says that it is not ready, so that no request is on its way
    when it ends.
    """

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._leave)
        await super().serve(sockets)

    def _leave(self) -> None:
        asgi.state.is_leaving = True
        asyncio.get_running_loop().call_later(LEAVE_SECONDS, self.handle_exit, signal.SIGTERM, None)

    def in_flight(self) -> registry.Figure:
        """The requests that wait for their answers. A stream is none."""
        streams = figures.total(metrics.sockets)
        return registry.Figure(max(0, len(self.server_state.tasks) - streams), "requests")

    def answered(self) -> registry.Figure:
        return registry.Figure(self.server_state.total_requests, "requests")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        hub.end_streams()
        await super().shutdown(sockets)


class Command(running.RoleCommand):
    help = (
        "Serve pages, REST, WebSocket and SSE, and take bids. Probes and metrics are on GAVEL_HEALTH_PORT. At SIGTERM "
        "it finishes the requests under way, then ends. At SIGUSR1 it first lets the gateway know."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on (default: %(default)s)")
        parser.add_argument(
            "--fd",
            type=int,
            help="a socket that this process inherits, in place of --host and --port",
        )

    def handle(self, *_args: object, **options: object) -> None:
        # uvicorn drains, then raises the signal again: that is a clean end.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        http_protocol.raise_descriptor_limit()
        private = health.serve_by_environment(asgi.state)
        tracing.start("web")
        log.info("role_starting", role="web", health=private.url)
        config = configuration(
            asgi.application,
            str(options["host"]),
            int(str(options["port"])),
            bids_fast_path=asgi.bids_fast_path,
        )
        inherited = options["fd"]
        sockets = None if inherited is None else [socket.socket(fileno=int(str(inherited)))]
        server = Server(config)
        address = (
            ":".join(map(str, sockets[0].getsockname()[:2])) if sockets else f"{config.host}:{config.port}"
        )
        entry = registry.Registration(
            "web",
            registry.About(
                services=settings.SERVICES, address=address, lag=server.in_flight, work=server.answered
            ),
            redis_url=settings.REDIS_URL,
            private_address=private.address,
            is_ready=asgi.state.serves,
        ).start()
        with (
            contextlib.closing(entry),
            contextlib.suppress(KeyboardInterrupt),
        ):  # SIGINT, raised again in the same way
            server.run(sockets=sockets)


def configuration(
    application: Any, host: str, port: int, *, bids_fast_path: fast_path.FastPath | None = None
) -> uvicorn.Config:
    """How the web role serves `application`."""
    protocol: Any = functools.partial(http_protocol.Protocol, fast_path=bids_fast_path)
    return uvicorn.Config(
        application,
        host=host,
        port=port,
        loop="uvloop",
        http=protocol,
        ws=websocket_protocol.Protocol,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,  # addresses.believe_proxies does it, by TRUSTED_PROXY_COUNT
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_SECONDS,
        ws_max_size=16 * 1024,
        ws_per_message_deflate=False,  # costs CPU per socket and frame; frames are small
    )
