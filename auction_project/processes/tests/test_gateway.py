"""The gateway as a real HAProxy with the project's configuration, in front of servers that note what reaches them."""

import contextlib
import functools
import http.client
import http.server
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jwt
import pytest
import yaml
from django.conf import settings
from django.test import override_settings
from websockets.sync import client as websocket_client
from websockets.sync import server as websocket_server

from auction_project.kernel import errors, tokens
from auction_project.kernel.http import problems
from auction_project.management.commands import gateway
from auction_project.processes import gateway_companion, health, registry, roles, stack
from auction_project.settings import development_keys
from auction_project.web import http_protocol

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
    """Says nothing of a check that hangs up before its answer."""

    daemon_threads = True

    def handle_error(self, *_args: object) -> None:
        pass


class Pool:
    """A web process in name only: it answers its name to everything, and notes the requests that it got."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.hangs_up = False
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
                body = json.dumps({"pool": pool.name}).encode()
                self.send_response(200)
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
            health.INSTANCE: INSTANCE,
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
        """Whether it answers; it takes its pools for good until a check says otherwise."""
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


@pytest.fixture(name="start")
def start_one(tmp_path: Path, settings: Any) -> Iterator[Start]:
    """Starts a gateway with pools of its own, and with these settings. Variables of its environment begin with GATEWAY_."""
    started: list[Gateway] = []

    def start(**changed: Any) -> Gateway:
        settings.VAR_DIR = tmp_path
        for name, value in changed.items():
            setattr(settings, name, value)
        one = Gateway(
            tmp_path, **{name: value for name, value in changed.items() if name.startswith("GATEWAY_")}
        )
        started.append(one)
        one.start()
        return one

    yield start
    for one in started:
        one.stop()


@pytest.fixture(name="front", scope="module")
def shared_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """For tests that change nothing in it. The settings of tests have no limits but those of streams and of log-ins."""
    directory = tmp_path_factory.mktemp("gateway")
    with override_settings(VAR_DIR=directory, SIGN_INS_PER_MINUTE=0):
        one = Gateway(directory)
        one.start()
    yield one
    one.stop()


@pytest.mark.parametrize(
    ("path", "pool"),
    [
        ("/", "site"),
        ("/admin/", "site"),
        ("/api/v1/token", "site"),
        ("/api/v1/services", "site"),
        ("/api/v1/auctionsx", "site"),
        ("/api/v1/auctions?status=open", "bids"),
        (f"/api/v1/auctions/{AUCTION}/bids", "bids"),
        ("/api/v1/bids/mine", "bids"),
        ("/api/v1/time", "bids"),
        ("/api/v1/stream", "push"),
        ("/ws/v1/stream", "push"),
        ("/api/v1/notifications/ticket", "push"),
        ("/api/v1/products/p1", "stock"),
        ("/api/v1/orders/statistics", "orders"),
        ("/api/v1/card", "orders"),
    ],
)
def test_a_path_goes_to_the_pool_that_serves_it(front: Gateway, path: str, pool: str) -> None:
    assert front.ask("GET", path).json["pool"].removesuffix("-2") == pool


def test_every_rest_path_of_an_app_goes_to_the_pool_that_serves_the_app(front: Gateway) -> None:
    from django.urls import get_resolver

    wrong = {}
    for pool, apps in roles.POOLS.items():
        for app in apps:
            module = {"accounts": "auction_project.accounts.urls"}.get(app, f"{app}.urls")
            for pattern in get_resolver(module).url_patterns:
                path = "/api/v1/" + re.sub(r"<[^>]+>", "a1", str(pattern.pattern))
                got = front.ask("GET", path).json["pool"].removesuffix("-2")
                if got != pool:
                    wrong[path] = got

    assert wrong == {}


def test_all_bids_of_an_auction_go_to_one_process_and_auctions_are_spread(front: Gateway) -> None:
    by_auction = {
        auction: {front.ask("POST", f"/api/v1/auctions/{auction}/bids").json["pool"] for _ in range(3)}
        for auction in AUCTIONS
    }

    assert all(len(processes) == 1 for processes in by_auction.values())
    assert {process for processes in by_auction.values() for process in processes} == {"bids", "bids-2"}


@functools.cache
def another_key() -> str:
    """A private key that is not the house's."""
    with tempfile.TemporaryDirectory() as directory:
        return development_keys.jwt_private_key(Path(directory))


def forged(**headers: Any) -> str:
    """A token with good claims that another RSA key has signed."""
    stranger = another_key()
    claims = jwt.decode(token(), options={"verify_signature": False})
    return jwt.encode(
        claims, stranger, algorithm="RS256", headers={"kid": tokens.key_id(settings.JWT_PUBLIC_KEY)} | headers
    )


BAD_TOKENS: dict[str, Callable[[], str]] = {
    "no token at all": lambda: "",
    "three words": lambda: "a.b.c",
    "expired": lambda: token(exp=int(time.time()) - 1),
    "without an expiry": lambda: token(exp=None),
    "for refreshing": lambda: token(token_use="refresh"),
    "by a key that is not ours": forged,
    "by a key that names itself": lambda: forged(kid="mine"),
    "without a signature": lambda: jwt.encode({"sub": "u1", "exp": time.time() + 60}, "", algorithm="none"),
    "by our public key as a password": lambda: hs256(),
    "with one letter changed": lambda: token()[:-8] + "AAAAAAAA",
}


def hs256() -> str:
    """The public key, which everybody knows, as the secret of an HMAC."""
    import base64
    import hashlib
    import hmac

    def part(of: bytes) -> str:
        return base64.urlsafe_b64encode(of).rstrip(b"=").decode()

    _, claims, _ = token().split(".")
    header = json.dumps({"alg": "HS256", "kid": tokens.key_id(settings.JWT_PUBLIC_KEY)}).encode()
    signed = f"{part(header)}.{claims}"
    return f"{signed}.{part(hmac.digest(settings.JWT_PUBLIC_KEY.encode(), signed.encode(), hashlib.sha256))}"


@pytest.mark.parametrize("kind", BAD_TOKENS)
def test_no_service_sees_a_request_with_a_bad_token(front: Gateway, kind: str) -> None:
    before = len(front.seen())

    answer = front.ask("POST", f"/api/v1/auctions/{AUCTION}/bids", bearer(BAD_TOKENS[kind]()))

    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json == problems.problem(tokens.InvalidToken())[1]
    assert len(front.seen()) == before


def test_another_scheme_than_bearer_is_refused(front: Gateway) -> None:
    assert front.ask("GET", "/api/v1/time", {"Authorization": "Basic dTE6cHc="}).status == 401


def test_a_good_token_and_no_token_reach_the_service_unchanged(front: Gateway) -> None:
    access = token()

    assert front.ask("GET", "/api/v1/orders", bearer(access)).status == 200
    assert front.ask("GET", "/api/v1/orders").status == 200

    (_, with_token), (_, without) = front.pools["orders"].requests[-2:]
    assert with_token["authorization"] == f"Bearer {access}"
    assert "authorization" not in without


def test_during_a_rotation_tokens_of_both_keys_pass_and_each_must_be_signed_by_the_key_that_it_names(
    start: Start,
) -> None:
    second = another_key()
    second_public = development_keys.public_key_of(second)
    front = start(JWT_SECOND_PUBLIC_KEY=second_public)
    claims = jwt.decode(token(), options={"verify_signature": False})

    def signed(kid: str) -> dict[str, str]:
        return bearer(jwt.encode(claims, second, algorithm="RS256", headers={"kid": kid}))

    assert front.ask("GET", "/", bearer(token())).status == 200
    assert front.ask("GET", "/", signed(tokens.key_id(second_public))).status == 200
    assert front.ask("GET", "/", signed(tokens.key_id(settings.JWT_PUBLIC_KEY))).status == 401


def test_the_name_of_a_key_may_begin_with_a_dash(start: Start) -> None:
    """One key in 64 has such a name."""
    front = start(GATEWAY_FIRST_KEY_ID="-R8n", GATEWAY_SECOND_KEY_ID="-m")
    claims = jwt.decode(token(), options={"verify_signature": False})
    signed = jwt.encode(claims, settings.JWT_PRIVATE_KEY, algorithm="RS256", headers={"kid": "-R8n"})

    assert front.ask("GET", "/", bearer(signed)).status == 200
    assert front.ask("GET", "/", bearer(token())).status == 401


def test_where_a_request_comes_from_is_said_by_the_gateway_alone(front: Gateway) -> None:
    lies = {
        "X-Forwarded-For": "6.6.6.6",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil.example",
        "Forwarded": "for=6.6.6.6",
        "X-Real-IP": "6.6.6.6",
    }

    front.ask("GET", "/", lies)

    _, headers = front.pools["site"].requests[-1]
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-proto"] == "http"
    assert headers.keys().isdisjoint({"x-forwarded-host", "forwarded", "x-real-ip"})


def test_the_targets_of_prometheus_are_not_reachable_from_outside(front: Gateway) -> None:
    before = len(front.seen())

    assert front.ask("GET", "/targets").status == 404
    assert len(front.seen()) == before


@pytest.mark.parametrize("path", ["/metrics", "/livez", "/readyz"])
def test_probes_and_metrics_are_on_the_private_port_alone(front: Gateway, path: str) -> None:
    before = len(front.seen())

    assert front.ask("GET", path).status == 404
    assert len(front.seen()) == before
    assert front.ask("GET", path, port=front.private_port).status == 200


def test_a_pool_that_is_down_answers_503_and_takes_nothing_else_with_it(start: Start) -> None:
    front = start()
    front.pools["site"].close()

    wait_until(lambda: front.ask("GET", "/api/v1/me").status == 503)

    answer = front.ask("GET", "/api/v1/me")
    assert answer.headers["content-type"] == problems.CONTENT_TYPE
    assert answer.headers["retry-after"] == "1"
    assert answer.json == problems.problem(errors.Unavailable())[1]
    page = front.ask("GET", "/", {"Accept": "text/html"})
    assert (page.status, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
    assert b"We are back in a moment" in page.body
    assert front.ask("POST", f"/api/v1/auctions/{AUCTION}/bids").status == 200


def test_when_a_process_refuses_connections_the_other_one_of_its_pool_takes_its_bids(start: Start) -> None:
    front = start()
    front.pools["bids"].close()

    answers = [front.ask("POST", f"/api/v1/auctions/{auction}/bids") for auction in AUCTIONS]

    assert {answer.json["pool"] for answer in answers} == {"bids-2"}


def test_a_request_that_was_sent_is_never_sent_again(start: Start) -> None:
    front = start()
    for name in ("bids", "bids-2"):
        front.pools[name].hangs_up = True

    answer = front.ask("POST", f"/api/v1/auctions/{AUCTION}/bids")

    assert (answer.status, answer.json) == (503, problems.problem(errors.Unavailable())[1])
    assert answer.headers["retry-after"] == "1"
    assert len(front.seen()) == 1


@pytest.mark.parametrize(
    ("limits", "method", "path", "user", "allowed"),
    [
        ({"USER_REQUESTS_PER_SECOND": 1}, "GET", "/api/v1/orders", "u1", 10),
        ({"ANONYMOUS_REQUESTS_PER_SECOND": 1.5}, "GET", "/api/v1/products", "", 15),
        ({"BIDS_PER_SECOND": 0.2}, "POST", f"/api/v1/auctions/{AUCTION}/bids", "u1", 3),
        ({"SIGN_INS_PER_MINUTE": 4}, "POST", "/_allauth/app/v1/auth/login", "", 4),
        ({"STREAMS_PER_SECOND": 0.1, "STREAMS_PER_ADDRESS": 2}, "GET", "/api/v1/stream", "", 3),
    ],
)
def test_beyond_its_limit_a_client_gets_429_and_no_service_sees_it(
    start: Start, limits: dict[str, float], method: str, path: str, user: str, allowed: int
) -> None:
    front = start(**limits)
    headers = bearer(token(sub=user)) if user else {}

    answers = [front.ask(method, path, headers) for _ in range(allowed + 2)]

    assert [answer.status for answer in answers] == [200] * allowed + [429] * 2
    assert answers[-1].headers["retry-after"] == "1"
    assert answers[-1].json == problems.problem(errors.TooOften(retry_after_seconds=1))[1]
    assert len(front.seen()) == allowed
    if user:
        assert front.ask(method, path, bearer(token(sub="u2"))).status == 200  # each user has an own budget


def test_so_many_streams_of_an_address_may_be_open_at_once(start: Start) -> None:
    opened = threading.Semaphore(0)

    def echo(connection: websocket_server.ServerConnection) -> None:
        opened.release()
        for text in connection:
            connection.send(text)

    with websocket_server.serve(echo, "127.0.0.1", 0) as push:
        threading.Thread(target=push.serve_forever, daemon=True).start()
        # The check of a WebSocket server is its own affair: it answers 426 to /readyz.
        front = start(
            GATEWAY_PUSH_1=f"127.0.0.1:{push.socket.getsockname()[1]}",
            STREAMS_PER_ADDRESS=2,
        )
        url = f"ws://127.0.0.1:{front.port}/ws/v1/stream"
        with websocket_client.connect(url) as one, websocket_client.connect(url) as two:
            for connection in (one, two):
                connection.send("hello")
                assert connection.recv(timeout=5) == "hello"
            assert front.ask("GET", "/ws/v1/stream").status == 429
        push.shutdown()


@pytest.mark.parametrize(
    ("raw", "status", "problem"),
    [
        (
            b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"b" * 40_000 + b"\r\n\r\n",
            431,
            http_protocol.HeadTooLarge(limit_bytes=32_768, limit_lines=100),
        ),
        (b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", 404, errors.NotFound()),
    ],
    ids=["a large head", "a private path"],
)
def test_what_the_gateway_refuses_itself_looks_like_every_other_error(
    front: Gateway, raw: bytes, status: int, problem: errors.DomainError
) -> None:
    before = len(front.seen())

    head, _, body = front.send(raw).partition(b"\r\n\r\n")

    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"application/problem+json" in head
    assert json.loads(body) == problems.problem(problem)[1]
    assert len(front.seen()) == before


def test_the_words_of_all_its_errors_are_those_of_the_house() -> None:
    own = {
        401: tokens.InvalidToken(),
        404: errors.NotFound(),
        429: errors.TooOften(retry_after_seconds=1),
        431: http_protocol.HeadTooLarge(limit_bytes=32_768, limit_lines=100),
        500: errors.Fault(),
        503: errors.Unavailable(),
    }
    text = (gateway.DIRECTORY / "haproxy.cfg").read_text()

    written = [json.loads(body) for body in re.findall(r"\{[^{}\n]*\"status\":[^{}\n]*\}", text)]
    words = {status: problems.problem(problem)[1] | {"status": status} for status, problem in own.items()}

    assert {body["status"] for body in written} == words.keys()
    assert [body for body in written if body != words[body["status"]]] == []


@pytest.mark.parametrize(
    "raw",
    [
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"b" * 80_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX y: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ],
    ids=["two lengths", "a huge head", "no header", "two hosts"],
)
def test_no_service_sees_what_is_no_request(front: Gateway, raw: bytes) -> None:
    before = len(front.seen())

    assert front.send(raw).startswith(b"HTTP/1.1 400 ")
    assert len(front.seen()) == before


def test_a_body_in_chunks_and_with_a_length_arrives_as_one_request_of_the_chunks(front: Gateway) -> None:
    """A reader of the length would take the rest for a second request."""
    requests = front.pools["site"].requests
    before = len(requests)

    front.send(
        b"POST /one HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"1e\r\nGET /two HTTP/1.1\r\nHost: a\r\n\r\n\r\n0\r\n\r\n"
    )

    assert [path for path, _ in requests[before:]] == ["/one"]
    assert requests[-1][1].keys() >= {"transfer-encoding"}
    assert "content-length" not in requests[-1][1]


def test_a_head_that_comes_too_slowly_gets_408(front: Gateway) -> None:
    assert front.send(b"GET / HTTP/1.1\r\nHost: a\r\n").startswith(b"HTTP/1.1 408 ")


def test_with_a_certificate_it_speaks_tls_and_plain_http_redirects(start: Start, tmp_path: Path) -> None:
    make = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=127.0.0.1",
    ]
    make += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "certificate.pem"]
    subprocess.run(make, cwd=tmp_path, check=True, capture_output=True)
    both = tmp_path / "both.pem"
    both.write_bytes((tmp_path / "certificate.pem").read_bytes() + (tmp_path / "key.pem").read_bytes())
    port = stack.free_port()
    front = start(GATEWAY_CERTIFICATE=str(both), GATEWAY_TLS_BIND=f"127.0.0.1:{port}")
    trusting = ssl.create_default_context(cafile=str(tmp_path / "certificate.pem"))
    trusting.set_alpn_protocols(["h2"])

    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=15, context=trusting)
    connection.connect()
    offered = connection.sock.selected_alpn_protocol()
    connection.close()
    trusting.set_alpn_protocols(["http/1.1"])
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=15, context=trusting)
    connection.request("GET", "/")
    answer = connection.getresponse()
    plain = front.ask("POST", "/api/v1/products")

    assert offered == "h2"
    assert (answer.status, answer.headers["Strict-Transport-Security"]) == (200, "max-age=31536000")
    assert front.pools["site"].requests[-1][1]["x-forwarded-proto"] == "https"
    assert (plain.status, plain.headers["location"].partition(":")[0]) == (308, "https")
    connection.close()


def test_the_gateway_is_in_the_registry_as_long_as_it_runs(tmp_path: Path) -> None:
    copy = f"gateway-{uuid.uuid4().hex}"
    port, private_port = stack.free_port(), stack.free_port()
    environment = {**os.environ, "GAVEL_VAR_DIR": str(tmp_path), "GAVEL_HEALTH_PORT": str(private_port)}
    environment |= {f"GATEWAY_{name.upper()}_1": "127.0.0.1:1" for name in roles.POOLS}
    environment |= {registry.COPY: copy, "REDIS_URL": settings.REDIS_URL, health.INSTANCE: INSTANCE}
    argv = [sys.executable, "manage.py", "gateway", "--bind", f"127.0.0.1:{port}"]

    def listed() -> list[registry.Process]:
        return [one for one in registry.processes(settings.REDIS_URL) if one.copy == copy]

    with (tmp_path / "log").open("wb") as log:
        front = subprocess.Popen(argv, cwd=settings.BASE_DIR, env=environment, stdout=log, stderr=log)
    try:
        wait_until(lambda: listed() and listed()[0].ready and listed()[0].cpu is not None)
        (process,) = listed()
    finally:
        front.kill()
        front.wait()
    killed = time.monotonic()
    wait_until(lambda: not listed())

    assert (process.role, process.pid) == ("gateway", front.pid)
    assert process.address == f"127.0.0.1:{port}"
    assert process.private_address == f"127.0.0.1:{private_port}"
    assert time.monotonic() - killed < registry.TTL_SECONDS / 2  # its companion removes it


def test_a_gateway_that_drains_is_not_ready_though_its_successor_answers(front: Gateway) -> None:
    private = f"127.0.0.1:{front.private_port}"

    assert gateway_companion.answers(private, INSTANCE)
    assert not gateway_companion.answers(private, "the one before it")
    assert not gateway_companion.answers("127.0.0.1:1", INSTANCE)


def test_the_command_checks_its_configuration(tmp_path: Path) -> None:
    argv = [sys.executable, "manage.py", "gateway", "--check"]
    environment = {**os.environ, "GAVEL_VAR_DIR": str(tmp_path), "GATEWAY_BIDS_1": "127.0.0.1:1"}
    environment |= {f"GATEWAY_{name}_1": "127.0.0.1:1" for name in ("PUSH", "SITE", "STOCK", "ORDERS")}

    good = subprocess.run(
        argv, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, check=False
    )
    environment["GATEWAY_SITE_1"] = "nowhere.invalid:1"
    bad = subprocess.run(
        argv, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, check=False
    )

    assert good.returncode == 0, good.stderr
    assert bad.returncode != 0
    assert "nowhere.invalid" in bad.stderr


def test_the_command_reads_another_configuration_where_one_is_named(tmp_path: Path) -> None:
    file = tmp_path / "other.cfg"
    file.write_text("nonsense\n")

    argv = [sys.executable, "manage.py", "gateway", "--check", "--configuration", str(file)]
    checked = subprocess.run(argv, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False)

    assert checked.returncode != 0
    assert f"{file}:1" in checked.stderr


def compose() -> dict[str, Any]:
    """The services of docker/compose.yml, in which `!reset` is a word of Compose."""
    text = (gateway.DIRECTORY.parent / "compose.yml").read_text().replace("!reset ", "")
    services: dict[str, Any] = yaml.safe_load(text)["services"]
    return services


def container_values() -> dict[str, str]:
    """What the gateway has in every container."""
    lines = (gateway.DIRECTORY / "containers.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_the_containers_have_each_pool_as_a_service_and_the_limits_that_the_command_makes() -> None:
    services = compose()
    environment = services["gateway"]["environment"] | container_values()
    with override_settings(
        USER_REQUESTS_PER_SECOND=50,
        ANONYMOUS_REQUESTS_PER_SECOND=50,
        BIDS_PER_SECOND=20,
        STREAMS_PER_SECOND=20,
        STREAMS_PER_ADDRESS=200,
    ):
        made = gateway.values(bind=":8000")

    limits = [
        name
        for name in made
        if name.startswith(("GATEWAY_REQUESTS", "GATEWAY_STREAMS", "GATEWAY_SIGN", "GATEWAY_BIDS"))
    ]
    assert {name: environment[name] for name in limits} == {name: made[name] for name in limits}
    assert made.keys() <= environment.keys()
    assert services["gateway"]["env_file"] == "gateway/containers.env"
    for pool, apps in roles.POOLS.items():
        assert environment[f"GATEWAY_{pool.upper()}"] == f"{pool}:8000"
        assert services[pool]["environment"]["SERVICES"] == ",".join(apps)


def test_containers_start_the_gateway_with_their_values_keys_and_name_server(tmp_path: Path) -> None:
    (tmp_path / "haproxy").symlink_to(gateway.binary())
    given = container_values() | {
        name: str(value) for name, value in compose()["gateway"]["environment"].items()
    }
    given |= {name: str(tmp_path / name) for name in ("GATEWAY_FIRST_KEY", "GATEWAY_SECOND_KEY")}
    given |= {"GATEWAY_DIR": str(gateway.DIRECTORY), "GATEWAY_MAX_CONNECTIONS": "100"}
    given |= {"JWT_PUBLIC_KEY": settings.JWT_PUBLIC_KEY.replace("\n", "\\n"), "JWT_SECOND_PUBLIC_KEY": ""}

    argv = ["sh", str(gateway.DIRECTORY / "start"), "-c"]
    environment = given | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    checked = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stderr
    assert {(tmp_path / name).read_text() for name in ("GATEWAY_FIRST_KEY", "GATEWAY_SECOND_KEY")} == {
        settings.JWT_PUBLIC_KEY
    }


def test_the_secrets_of_containers_name_the_key_as_tokens_do() -> None:
    printed = subprocess.run(
        ["sh", str(gateway.DIRECTORY.parent / "secrets")], capture_output=True, text=True, check=True
    ).stdout
    secrets = dict(line.split("=", 1) for line in printed.splitlines())

    assert secrets["JWT_KEY_ID"] == tokens.key_id(secrets["JWT_PUBLIC_KEY"].replace("\\n", "\n"))
