"""`/livez`, `/readyz`, `/metrics` and `/targets` of every role on a private port, on a thread of the standard library.

Live: every loop has begun a step, or waited for a service, within STALE_SECONDS. Ready: the role's needs have answered, it
is not draining, and no loop has halted. A halted role is live, because a restart alone would mend nothing. `/targets` lists where
all processes of the registry have their metrics, for Prometheus.
"""

import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import prometheus_client
from django.conf import settings

from auction_project.kernel import errors
from auction_project.processes import identity, metrics, registry

STALE_SECONDS = 60.0
REQUEST_SECONDS = 5.0


def readiness(role: str, *, ready: bool) -> dict[str, Any]:
    """The body of `/readyz`."""
    instance = os.environ.get(identity.INSTANCE)
    return {"role": role, "ready": ready} | ({"instance": instance} if instance else {})


class State:
    """The health of this process: whether it is ready, which loops have halted, and when each loop last beat."""

    def __init__(self, role: str) -> None:
        self.role = role
        self.ready = False
        self.halted: set[str] = set()
        self._beats: dict[str, float] = {}

    def beat(self, loop: str) -> None:
        """Note that `loop` works."""
        self._beats[loop] = time.monotonic()

    def rest(self, loop: str) -> None:
        """Mark the loop idle, so that a missing heartbeat is not reported as stale."""
        self._beats.pop(loop, None)

    def is_ready(self, *, within_seconds: float | None = None) -> bool:
        """Whether the role is ready, apart from halted loops. A loop that does not answer in time is not."""
        return self.ready

    def serves(self) -> bool:
        """Whether the process is ready and no loop has halted, for the registry: the answer comes within a second."""
        return self.is_ready(within_seconds=1.0) and not self.halted

    def stale_loops(self) -> list[str]:
        """The loops whose last heartbeat is older than STALE_SECONDS."""
        now = time.monotonic()
        return sorted(name for name, beat in list(self._beats.items()) if now - beat > STALE_SECONDS)


class Server:
    """The health server of this process. Raises OSError if its port is taken."""

    def __init__(self, state: State, host: str, port: int) -> None:
        handler = type("Handler", (_Handler,), {"state": state})
        metrics.ready.measure_by(lambda: {(): state.is_ready() and not state.halted})
        metrics.measure_pools()
        self._server = ThreadingHTTPServer((host, port), handler)
        self.address = f"{host}:{self._server.server_port}"
        self.url = f"http://{self.address}"
        threading.Thread(target=self._server.serve_forever, name="health", daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def serve(state: State, *, host: str = "127.0.0.1", port: int = 0) -> Server:
    """Start answering on `port` (0: any free one)."""
    return Server(state, host, port)


def serve_by_environment(state: State) -> Server:
    """Start answering on GAVEL_HEALTH_HOST and GAVEL_HEALTH_PORT."""
    host = os.environ.get("GAVEL_HEALTH_HOST", "127.0.0.1")
    return serve(state, host=host, port=int(os.environ.get("GAVEL_HEALTH_PORT", "0")))


class _Handler(BaseHTTPRequestHandler):
    state: State
    timeout = REQUEST_SECONDS

    def do_GET(self) -> None:
        if self.path == "/metrics":
            self._answer(200, prometheus_client.generate_latest(), prometheus_client.CONTENT_TYPE_LATEST)
        elif self.path == "/livez":
            stale = self.state.stale_loops()
            self._answer_json(503 if stale else 200, {"role": self.state.role, "stale": stale})
        elif self.path == "/readyz":
            halted = sorted(self.state.halted)
            ready = self.state.is_ready() and not halted
            body = readiness(self.state.role, ready=ready) | ({"halted": halted} if halted else {})
            self._answer_json(200 if ready else 503, body)
        elif self.path == "/targets":
            self._answer_targets()
        else:
            self._answer_json(404, {"paths": ["/livez", "/readyz", "/metrics", "/targets"]})

    def log_message(self, *_: Any) -> None:
        """Log no probes."""

    def _answer_targets(self) -> None:
        """503 without Redis: then Prometheus keeps the targets that it has."""
        try:
            self._answer_json(200, registry.targets(settings.REDIS_URL))
        except errors.Unavailable:
            self._answer_json(503, {"detail": "Redis does not answer."})

    def _answer_json(self, status: int, body: Any) -> None:
        self._answer(status, json.dumps(body).encode(), "application/json")

    def _answer(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
