"""Real web processes of the streams, on the test's database and Redis."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from urllib import parse

from django.conf import settings
from django.db import connections

from notifications import models

START_SECONDS = 20.0


class Server:
    """One process with the streams alone; `url` is where its WebSockets are."""

    def __init__(self) -> None:
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        listening.listen(1024)
        self.port = listening.getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}/ws/v1/stream"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "notifications.tests.server", str(listening.fileno())],
            env=os.environ | _addresses(),
            pass_fds=[listening.fileno()],
        )
        listening.close()

    def kill(self) -> None:
        """As a crash would."""
        self.process.kill()
        self.process.wait()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to stop; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=START_SECONDS)


class WebRole(Server):
    """The web role as it is run, with nothing to serve but the streams, and with settings of its own in `environment`."""

    environment: Mapping[str, str] = {}

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "web", "--port", str(self.port)],
            cwd=settings.BASE_DIR,
            env=os.environ | _addresses() | {"SERVICES": "notifications"} | self.environment,
        )

    def stream(self) -> socket.socket:
        """An open SSE stream that has been greeted."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=START_SECONDS)
        connection.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while b"ready" not in answer:
            part = connection.recv(4096)
            assert part, answer
            answer += part
        return connection


@contextlib.contextmanager
def serving(count: int, kind: type[Server] = Server) -> Iterator[list[Server]]:
    """Servers that answer."""
    servers = [kind() for _ in range(count)]
    try:
        for server in servers:
            _wait(server)
        yield servers
    finally:
        for server in servers:
            server.kill()


def _wait(server: Server) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", server.port), timeout=1) as connection,
        ):
            connection.settimeout(1)
            connection.sendall(b"POST /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
            if connection.recv(12) == b"HTTP/1.1 405":
                return
        assert server.process.poll() is None, "the server stopped at once"
        assert time.monotonic() < deadline, "the server does not answer"
        time.sleep(0.05)


def _addresses() -> dict[str, str]:
    """The test's own database and Redis, as variables."""
    database = connections[models.DATABASE].settings_dict
    user, password = parse.quote(str(database["USER"])), parse.quote(str(database["PASSWORD"]))
    place = f"{database['HOST']}:{database['PORT']}/{database['NAME']}"
    return {
        "DATABASE_URL_NOTIFICATIONS": f"postgres://{user}:{password}@{place}",
        "REDIS_URL": settings.REDIS_URL,
        "STREAMS_PER_ADDRESS": "1000",  # every client of a test has the same address
        "DJANGO_SETTINGS_MODULE": "auction_project.settings.test",
    }
