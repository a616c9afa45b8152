"""A real HAProxy with the project's configuration, in front of servers that note what reaches them."""

import contextlib
import csv
import http.client
import http.server
import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from auction_project.kernel import tokens
from auction_project.processes import gateway, identity, roles, stack

AUCTIONS = [f"{number:032x}" for number in range(1, 40)]
AUCTION = AUCTIONS[0]
INSTANCE = "the gateway under test"


class Answer(NamedTuple):
    """What the client got."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed


class _Quiet(http.server.ThreadingHTTPServer):
    """Does not report a check that hangs up before its answer."""

    daemon_threads = True

    def handle_error(self, *_args: object) -> None:
        pass


class Pool:
    """Stands in for a web process: it answers each request with its name, and notes the requests that it got."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.is_ready = True
        self.hangs_up = False
        self.answers = threading.Event()  # cleared: each request waits
        self.answers.set()
        pool = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.close_connection = "Transfer-Encoding" in self.headers  # it does not read chunks
                if self.path != "/readyz":
                    pool.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
                    if pool.hangs_up:
                        self.close_connection = True
                        return
                    pool.answers.wait()
                body = json.dumps({"pool": pool.name}).encode()
                self.send_response(200 if pool.is_ready or self.path != "/readyz" else 503)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = answer

            def log_message(self, *_args: object) -> None:
                pass

        self._server = _Quiet(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=[0.02], daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Gateway:
    """HAProxy with the values of the settings, and the pools behind it by name."""

    def __init__(self, directory: Path, **environment: str) -> None:
        self.pools = {name: Pool(name) for name in ("bids", "bids-2", "push", "site", "stock", "orders")}
        self.port, self.private_port = stack.free_port(), stack.free_port()
        self._environment = {
            "GATEWAY_BIDS_2": self.pools["bids-2"].address,
            **{f"GATEWAY_{name.upper()}_1": self.pools[name].address for name in roles.POOLS},
            "GATEWAY_PRIVATE_BIND": f"127.0.0.1:{self.private_port}",
            identity.INSTANCE: INSTANCE,
            **environment,
        }
        self._log = directory / f"gateway-{self.port}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        values = gateway.values(bind=f"127.0.0.1:{self.port}") | self._environment
        argv = [gateway.binary(), "-db", "-f", str(gateway.DIRECTORY / "haproxy.cfg")]
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(argv, env=values, stdout=output, stderr=output)
        wait_until(self._is_ready)

    def _is_ready(self) -> bool:
        """Whether it answers. It takes its pools for ready until a check says otherwise."""
        with contextlib.suppress(OSError):
            return self.ask("GET", "/readyz", port=self.private_port).json["instance"] == INSTANCE
        return False

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        for pool in self.pools.values():
            pool.close()

    def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, *, port: int = 0
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=15)
        try:
            connection.request(method, path, headers=dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def is_up(self, server: str) -> bool:
        """Whether its checks have found this server ready (`site-1`)."""
        lines = self.ask("GET", "/;csv", port=self.private_port).body.decode().splitlines()
        (row,) = [row for row in csv.DictReader(lines) if row["svname"] == server]
        return row["status"].startswith("UP")

    def send(self, raw: bytes) -> bytes:
        """The first bytes of the answer to `raw`, empty if the connection is closed without one."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=15) as connection:
            connection.sendall(raw)
            return connection.recv(65_536)

    def seen(self) -> list[tuple[str, dict[str, str]]]:
        """All requests that reached a pool."""
        return [request for pool in self.pools.values() for request in pool.requests]


def wait_until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def token(**changed: Any) -> str:
    return tokens.sign(
        sub=changed.pop("sub", "u1"),
        roles=["bidder"],
        created_at=0,
        now=time.time(),
        seconds=300,
        changed=changed,
    )


def bearer(access: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {access}"}


Start = Callable[..., Gateway]
