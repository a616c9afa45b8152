"""The fast path beside ASGI, on two real servers and raw sockets: the same answers, and what it declines."""

import asyncio
import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import prometheus_client
import pytest
import uvicorn

from auction_project import asgi
from auction_project.kernel.http import answers
from auction_project.management.commands import web
from auction_project.web import asgi_middleware, bounds, fast_path

ENOUGH_SECONDS = 20.0  # only bounds a test that fails
PLAIN = b"Host: localhost\r\nContent-Type: application/json\r\nContent-Length: 8\r\n"
BODY = b'{"a": 1}'

Answer = tuple[int, dict[str, str], bytes]


class _Endpoint:
    """Answers with what it got. `fast`: the paths that came by the fast path."""

    def __init__(self) -> None:
        self.fast: list[str] = []
        self.waiting = 0
        self.may_answer = threading.Event()

    async def place(self, path: str, headers: dict[bytes, bytes], body: bytes) -> answers.Answer:
        if path.startswith("/waits"):
            self.waiting += 1
            await asyncio.to_thread(self.may_answer.wait, ENOUGH_SECONDS)
        if path.startswith("/fails"):
            raise RuntimeError("a bug")
        seen = {"path": path, "body": body.decode(), "names": sorted(name.decode() for name in headers)}
        return 201, (*answers.JSON, (b"x-own", b"own")), json.dumps(seen).encode()

    async def place_fast(self, path: str, headers: dict[bytes, bytes], body: bytes) -> answers.Answer:
        self.fast.append(path)
        return await self.place(path, headers, body)

    async def application(self, scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        status, headers, body = await self.place(
            scope["path"], dict(scope["headers"]), message.get("body", b"")
        )
        await answers.send_whole(send, status, headers, body)


@contextlib.contextmanager
def _serving(endpoint: _Endpoint, *, is_fast: bool) -> Iterator[uvicorn.Server]:
    bare = asgi_middleware.Bare(bounds.Bounds(endpoint.application))

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await bare(scope, receive, send)
            return
        for phase in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{phase}.complete"})

    path = fast_path.FastPath(
        endpoint.place_fast, targets=re.compile(rb"/(fast|waits|fails)[0-9]*"), bare=bare
    )
    server = uvicorn.Server(
        web.configuration(application, "127.0.0.1", 0, bids_fast_path=path if is_fast else None)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        _until(lambda: server.started)
        asyncio.run(bare({"type": "http", "headers": [(b"host", b"localhost")]}, _no_body, _ignore))
        yield server
    finally:
        server.should_exit = True
        thread.join(ENOUGH_SECONDS)
        assert not thread.is_alive()


async def _no_body() -> dict[str, Any]:
    return {"type": "http.disconnect"}


async def _ignore(_message: Any) -> None:
    """The first request of a host makes it known."""


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[_Endpoint, uvicorn.Server, uvicorn.Server]]:
    """The endpoint, a server with its fast path, and one without."""
    found = _Endpoint()
    with _serving(found, is_fast=True) as fast, _serving(found, is_fast=False) as slow:
        yield found, fast, slow


@pytest.fixture
def endpoint(servers: tuple[_Endpoint, uvicorn.Server, uvicorn.Server]) -> _Endpoint:
    servers[0].__init__()  # type: ignore[misc]
    return servers[0]


@pytest.fixture
def server(servers: tuple[_Endpoint, uvicorn.Server, uvicorn.Server]) -> uvicorn.Server:
    return servers[1]


@pytest.fixture
def slow(servers: tuple[_Endpoint, uvicorn.Server, uvicorn.Server]) -> uvicorn.Server:
    return servers[2]


def _until(holds: Any) -> None:
    deadline = time.monotonic() + ENOUGH_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _connect(server: uvicorn.Server) -> socket.socket:
    return socket.create_connection(server.servers[0].sockets[0].getsockname(), ENOUGH_SECONDS)


def _read(connection: socket.socket) -> Answer:
    """The next answer after any `100 Continue`, and no byte behind it."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        assert byte, head
        head += byte
    line, *lines = head.decode().splitlines()[:-1]
    if line == "HTTP/1.1 100 Continue":
        return _read(connection)
    headers = dict(line.lower().split(": ", 1) for line in lines)
    body = connection.recv(int(headers["content-length"]), socket.MSG_WAITALL)
    return int(line.split()[1]), headers, body


def _post(target: bytes = b"/fast", head: bytes = PLAIN, body: bytes = BODY) -> bytes:
    return b"POST " + target + b" HTTP/1.1\r\n" + head + b"\r\n" + body


def _ask(server: uvicorn.Server, *pieces: bytes) -> Answer:
    with _connect(server) as connection:
        for number, piece in enumerate(pieces):
            if number:  # the server has read the piece before it
                _until(lambda: any(found.cycle.more_body for found in _begun(server)))
            connection.sendall(piece)
        return _read(connection)


def _begun(server: uvicorn.Server) -> list[Any]:
    """The connections that have sent a head."""
    return [found for found in list(server.server_state.connections) if found.cycle is not None]  # type: ignore[union-attr]


def test_a_plain_request_takes_the_fast_path_and_its_answer_is_that_of_asgi(
    endpoint: _Endpoint, server: uvicorn.Server, slow: uvicorn.Server
) -> None:
    status, headers, body = _ask(server, _post())

    assert endpoint.fast == ["/fast"]
    assert (status, headers, body) == _ask(slow, _post())
    assert (status, headers["x-own"], headers["x-content-type-options"]) == (201, "own", "nosniff")


CHUNKED = b"Host: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
DECLINED = {
    "another charset": (_post(head=PLAIN.replace(b"json", b"json; charset=latin-1")),),
    "another type": (_post(head=PLAIN.replace(b"application/json", b"text/plain")),),
    "no type": (_post(head=PLAIN.replace(b"Content-Type", b"X-Type")),),
    "a foreign host": (_post(head=PLAIN.replace(b"localhost", b"evil.example")),),
    "no host": (_post(head=PLAIN.replace(b"Host", b"X-Host")),),
    "two hosts": (_post(head=PLAIN + b"Host: evil.example\r\n"),),
    "two hosts, first a foreign one": (_post(head=b"Host: evil.example\r\n" + PLAIN),),
    "a query": (_post(b"/fast?a=b"),),
    "an escape": (_post(b"/f%61st"),),
    "an absolute target": (_post(b"http://localhost/fast"),),
    "another method": (_post().replace(b"POST", b"PUT", 1),),
    "another target": (_post(b"/other"),),
    "HTTP/1.0": (_post(head=PLAIN + b"Connection: keep-alive\r\n").replace(b"HTTP/1.1", b"HTTP/1.0"),),
    "a connection that ends": (_post(head=PLAIN + b"Connection: close\r\n"),),
    "a client that waits for leave": (_post(head=PLAIN + b"Expect: 100-continue\r\n"),),
    "an upgrade": (_post(head=PLAIN + b"Connection: upgrade\r\nUpgrade: h2c\r\n"),),
    "a body in two pieces": (_post()[:-3], _post()[-3:]),
    "a body after its head": (_post(body=b""), BODY),
    "a large body": (_post(head=PLAIN.replace(b": 8", b": 65537"), body=b" " * 65537),),
    "a deep body": (_post(head=PLAIN.replace(b": 8", b": 70"), body=b"[" * 35 + b"]" * 35),),
    "chunks in two pieces": (_post(head=CHUNKED, body=b"8\r\n"), BODY + b"\r\n0\r\n\r\n"),
    "a bad chunk": (_post(head=CHUNKED, body=b"zz\r\n"),),
}


@pytest.mark.parametrize("pieces", DECLINED.values(), ids=DECLINED)
def test_what_is_not_plain_goes_to_asgi(
    endpoint: _Endpoint, server: uvicorn.Server, slow: uvicorn.Server, pieces: tuple[bytes, ...]
) -> None:
    answered = _ask(server, *pieces)

    assert endpoint.fast == []
    assert answered == _ask(slow, *pieces)


def test_the_bids_of_a_lot_have_the_fast_path_and_nothing_else_has() -> None:
    lot = b"/api/v1/auctions/0123456789abcdef0123456789abcdef"

    assert asgi.bids_fast_path is not None
    assert asgi.bids_fast_path.takes(lot + b"/bids")
    for other in (lot, lot + b"/bids/", lot + b"/bids/by-key/k", lot + b"/bids?a=b", lot[:-1] + b"/bids"):
        assert not asgi.bids_fast_path.takes(other)


def test_trailers_of_a_chunked_body_never_become_headers(endpoint: _Endpoint, server: uvicorn.Server) -> None:
    _, _, body = _ask(server, _post(head=CHUNKED, body=b"8\r\n" + BODY + b"\r\n0\r\nX-Trailer: x\r\n\r\n"))

    assert json.loads(body) == {
        "path": "/fast",
        "body": BODY.decode(),
        "names": ["content-type", "host", "transfer-encoding"],
    }


def test_pipelined_requests_are_answered_in_order(endpoint: _Endpoint, server: uvicorn.Server) -> None:
    with _connect(server) as connection:
        connection.sendall(_post(b"/waits1") + _post(b"/fast2") + _post(b"/other3"))
        _until(lambda: endpoint.waiting)
        endpoint.may_answer.set()
        paths = [json.loads(_read(connection)[2])["path"] for _ in range(3)]
        connection.sendall(_post(b"/fast4"))
        paths.append(json.loads(_read(connection)[2])["path"])

    assert paths == ["/waits1", "/fast2", "/other3", "/fast4"]
    assert endpoint.fast == ["/waits1", "/fast4"]


def test_an_error_of_the_endpoint_is_a_problem_and_ends_the_connection(
    endpoint: _Endpoint, server: uvicorn.Server, caplog: pytest.LogCaptureFixture
) -> None:
    with _connect(server) as connection:
        connection.sendall(_post(b"/fails"))
        status, headers, body = _read(connection)
        assert connection.recv(1) == b""

    assert (status, headers["connection"], json.loads(body)["code"]) == (500, "close", "fault")
    assert "a bug" in caplog.text


def test_a_client_that_leaves_before_its_answer_harms_nothing(
    endpoint: _Endpoint, server: uvicorn.Server, caplog: pytest.LogCaptureFixture
) -> None:
    with _connect(server) as connection:
        connection.sendall(_post(b"/waits"))
        _until(lambda: endpoint.waiting)
    _until(lambda: not server.server_state.connections)
    assert server.server_state.tasks
    endpoint.may_answer.set()
    _until(lambda: not server.server_state.tasks)

    assert _ask(server, _post())[0] == 201
    assert caplog.text == ""


def test_a_body_that_is_refused_reaches_no_application(server: uvicorn.Server) -> None:
    _until(lambda: not server.server_state.tasks)
    with _connect(server) as connection:
        connection.sendall(*DECLINED["a bad chunk"])
        status, _, body = _read(connection)
        assert not server.server_state.tasks

    assert (status, json.loads(body)["code"]) == (400, "request_malformed")


def test_a_server_that_stops_first_gives_the_answers_under_way() -> None:
    endpoint = _Endpoint()
    with _serving(endpoint, is_fast=True) as server, _connect(server) as connection:
        connection.sendall(_post(b"/waits"))
        _until(lambda: endpoint.waiting)
        server.should_exit = True
        _until(lambda: not server.servers[0].is_serving())
        endpoint.may_answer.set()
        status, headers, _ = _read(connection)

        assert (status, headers["connection"]) == (201, "close")
        assert connection.recv(1) == b""


def test_garbage_behind_a_request_ends_the_connection_after_its_answer(
    endpoint: _Endpoint, server: uvicorn.Server
) -> None:
    with _connect(server) as connection:
        connection.sendall(_post(b"/waits") + b"\x00garbage\r\n\r\n")
        _until(lambda: endpoint.waiting)
        endpoint.may_answer.set()

        assert _read(connection)[0] == 201
        assert connection.recv(1) == b""


@pytest.mark.parametrize(
    ("proxies", "headers", "is_secure", "is_plain"),
    [
        (0, (), True, True),
        (0, (), False, False),
        (0, ((b"x-forwarded-proto", b"https"),), False, False),
        (1, ((b"x-forwarded-proto", b"https"),), False, True),
        (1, ((b"x-forwarded-proto", b"https"), (b"x-forwarded-proto", b"http")), False, False),
    ],
)
async def test_only_what_came_by_https_is_plain_where_http_is_redirected(
    endpoint: _Endpoint,
    settings: Any,
    proxies: int,
    headers: tuple[tuple[bytes, bytes], ...],
    is_secure: bool,
    is_plain: bool,
) -> None:
    settings.SECURE_SSL_REDIRECT, settings.SECURE_HSTS_SECONDS = True, 60
    settings.TRUSTED_PROXY_COUNT = proxies
    bare = asgi_middleware.Bare(endpoint.application)
    await bare({"type": "http", "headers": [(b"host", b"localhost")], "raw_path": b"/"}, _no_body, _ignore)
    path = fast_path.FastPath(endpoint.place_fast, targets=re.compile(b"/fast"), bare=bare)

    sent = [(b"host", b"localhost"), (b"content-type", b"application/json"), *headers]
    coming = path.answer(b"/fast", sent, BODY, is_secure)

    assert (coming is not None) == is_plain
    if coming is not None:
        names = [name for name, _ in (await coming)[1]]
        assert names[2:] == [b"x-content-type-options", b"strict-transport-security"]


def test_a_request_on_the_fast_path_counts_as_a_bid(endpoint: _Endpoint, server: uvicorn.Server) -> None:
    before = [_counted(status) for status in ("2xx", "5xx")]

    _ask(server, _post())
    _ask(server, _post(b"/fails"))

    assert [_counted(status) for status in ("2xx", "5xx")] == [number + 1 for number in before]


def _counted(status: str) -> float:
    labels = {"route": "bid", "status": status}
    return prometheus_client.REGISTRY.get_sample_value("gavel_http_request_seconds_count", labels) or 0.0
