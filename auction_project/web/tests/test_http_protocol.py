"""What a connection may send and how long it may wait, on a real server and raw sockets."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from auction_project.kernel.http import budgets
from auction_project.management.commands import web
from auction_project.web import http_protocol

ENOUGH_SECONDS = 20.0  # only bounds a test that fails
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n"


async def _echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the headers as they stand when the whole body has come, and with the client. Opens WebSockets."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close"})
        return
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message["body"]), message["more_body"]
    if scope["path"] == "/slow":
        await asyncio.sleep(5 * http_protocol.HEAD_SECONDS)
    answer = b"x" * 8_000_000
    if scope["path"] != "/large":
        seen = {"headers": [name.decode() for name, _ in scope["headers"]], "size": size}
        if b"x-forwarded-for" in dict(scope["headers"]):
            seen["client"] = [scope["client"][0], scope["scheme"]]
        answer = json.dumps(seen).encode()
    headers = [(b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


async def _lifespan(receive: Any, send: Any) -> None:
    for phase in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{phase}.complete"})


@pytest.fixture(scope="module")
def server() -> Iterator[uvicorn.Server]:
    server = uvicorn.Server(web.configuration(_echo, "127.0.0.1", 0))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    _until(lambda: server.started)
    yield server
    server.should_exit = True
    thread.join(ENOUGH_SECONDS)


@pytest.fixture
def connect(server: uvicorn.Server) -> Iterator[Any]:
    """`connect()`: a new connection to the server."""
    address = server.servers[0].sockets[0].getsockname()
    with contextlib.ExitStack() as opened:
        yield lambda: opened.enter_context(socket.create_connection(address, ENOUGH_SECONDS))


def _until(holds: Any) -> None:
    deadline = time.monotonic() + ENOUGH_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _read(connection: socket.socket) -> tuple[int, dict[str, Any]]:
    """Status and JSON of the next answer."""
    answer = connection.makefile("rb")
    status = int(answer.readline().split()[1])
    length = 0
    while line := answer.readline().strip():
        name, _, value = line.partition(b": ")
        if name == b"content-length":
            length = int(value)
    return status, json.loads(answer.read(length))


def _is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def _head(size: int) -> bytes:
    """A GET whose target, header names and values are `size` bytes."""
    return b"GET / HTTP/1.1\r\nHost: x\r\nLong: " + b"x" * (size - 10) + b"\r\n\r\n"


@pytest.mark.parametrize("excess", [0, 1])
def test_a_head_has_32_kib_at_most(connect: Any, excess: int) -> None:
    connection = connect()

    connection.sendall(_head(32 * 1024 + excess))

    status, body = _read(connection)
    if not excess:
        assert (status, body["headers"]) == (200, ["host", "long"])
    else:
        assert (status, body["code"], body["limit_bytes"]) == (431, "head_too_large", 32768)
        assert _is_closed(connection)


def test_a_head_without_an_end_is_refused_at_its_bound(connect: Any) -> None:
    connection = connect()
    connection.sendall(b"GET / HTTP/1.1\r\nLong: " + b"x" * (33 * 1024))

    status, body = _read(connection)

    assert (status, body["code"]) == (431, "head_too_large")
    assert _is_closed(connection)


@pytest.mark.parametrize("lines", [100, 101])
def test_a_head_has_100_lines_at_most(connect: Any, lines: int) -> None:
    connection = connect()

    connection.sendall(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * lines + b"\r\n")

    status, body = _read(connection)
    if lines == 100:
        assert (status, len(body["headers"])) == (200, 100)
    else:
        assert (status, body["code"], body["limit_lines"]) == (431, "head_too_large", 100)


def test_an_endless_url_is_refused(connect: Any) -> None:
    connection = connect()
    connection.sendall(b"GET /" + b"x" * (33 * 1024))

    assert _read(connection)[0] == 431


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\nHost:", b"G", b"\r\n"])
def test_a_head_that_never_ends_is_refused_after_its_time(
    connect: Any, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.1)
    connection = connect()

    connection.sendall(sent)

    assert _read(connection)[1]["code"] == "head_too_slow"
    assert _is_closed(connection)


def test_a_head_has_the_10_seconds_that_its_refusal_names() -> None:
    assert http_protocol.HEAD_SECONDS == 10
    assert " 10 seconds" in http_protocol.HeadTooSlow().detail


def test_a_silent_connection_is_closed_without_an_answer(
    connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.1)

    assert _is_closed(connect())


def test_bytes_between_requests_do_not_keep_a_connection_open(
    connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.1)
    connection = connect()
    connection.sendall(_head(100))
    assert _read(connection)[0] == 200

    connection.sendall(b"\r\n")

    assert _read(connection)[1]["code"] == "head_too_slow"


def test_trailers_are_no_headers(connect: Any) -> None:
    connection = connect()

    connection.sendall(CHUNKED + b"Authorization: Bearer x\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n")

    assert _read(connection) == (200, {"headers": ["host", "transfer-encoding"], "size": 2})
    connection.sendall(_head(100))  # and the next request has its own
    assert _read(connection)[1]["headers"] == ["host", "long"]


def test_no_deadline_runs_while_a_whole_request_is_answered(
    connect: Any, server: uvicorn.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.1)
    connection = connect()
    connection.sendall(CHUNKED.replace(b"POST / ", b"POST /slow "))
    _until(lambda: server.server_state.tasks)  # what follows is a read of its own

    connection.sendall(b"Trailer: x\r\n\r\n\r\n")  # and bytes that belong to no request

    assert _read(connection) == (200, {"headers": ["host", "transfer-encoding"], "size": 2})
    connection.sendall(_head(100))  # the connection is as good as before
    assert _read(connection)[0] == 200


def test_the_server_itself_believes_no_forwarded_header(connect: Any) -> None:
    connection = connect()
    forwarded = b"X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-Proto: https\r\n\r\n"

    connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n" + forwarded)

    assert _read(connection)[1]["client"] == ["127.0.0.1", "http"]


@pytest.mark.parametrize("endless", [b"Long: ", b"0;"])
def test_trailers_and_chunk_extensions_have_the_bound_of_a_head(connect: Any, endless: bytes) -> None:
    connection = connect()

    connection.sendall((CHUNKED if endless == b"Long: " else CHUNKED[:-3]) + endless)
    connection.sendall(b"x" * 400_000)  # more than one read

    assert _read(connection)[1]["code"] == "head_too_large"


def test_a_large_body_in_small_chunks_is_no_large_head(connect: Any) -> None:
    connection = connect()

    connection.sendall(CHUNKED[:-3] + b"1\r\nx\r\n" * 20_000 + b"0\r\n\r\n")

    assert _read(connection)[1]["size"] == 20_002


def test_what_a_refused_client_goes_on_sending_is_read_up_to_a_bound(
    connect: Any, server: uvicorn.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "LINGER_SECONDS", ENOUGH_SECONDS)
    connection = connect()
    connection.sendall(b"GET / HTTP/1.1\r\nLong: " + b"x" * (33 * 1024))
    connection.setblocking(False)

    def is_read_no_more() -> bool:
        with contextlib.suppress(BlockingIOError):
            connection.send(b"x" * 65_536)
        return any(each.flow.read_paused for each in list(server.server_state.connections))  # type: ignore[union-attr]

    _until(is_read_no_more)

    connection.settimeout(ENOUGH_SECONDS)
    assert _read(connection)[0] == 431


def test_what_is_not_http_is_a_problem(connect: Any) -> None:
    connection = connect()

    connection.sendall(b"HELO x\r\n\r\n")

    status, body = _read(connection)
    assert (status, body["code"]) == (400, "request_malformed")


@pytest.mark.parametrize("method", [b"FOO", b"get", b"BREW-TEA"])
def test_a_method_that_does_not_exist_is_not_implemented(connect: Any, method: bytes) -> None:
    connection = connect()

    connection.sendall(method + b" /api/ HTTP/1.1\r\nHost: x\r\n\r\n")

    status, body = _read(connection)
    assert (status, body["code"]) == (501, "method_unknown")


def test_a_refusal_never_lands_in_another_answer(connect: Any) -> None:
    connection = connect()

    connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\nHELO x\r\n\r\n")

    received = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(1 << 20):
            received += part
    assert b"request_malformed" not in received


def test_pipelined_requests_are_answered_in_order_up_to_a_bound(connect: Any) -> None:
    connection = connect()
    connection.sendall(_head(100) * http_protocol.MAX_PIPELINED)
    for _ in range(http_protocol.MAX_PIPELINED):
        assert _read_line(connection) == b"HTTP/1.1 200 OK"

    flood = connect()
    flood.sendall(_head(100) * 10 * http_protocol.MAX_PIPELINED)
    answered = b""
    with contextlib.suppress(ConnectionError):
        while part := flood.recv(1 << 20):
            answered += part
    assert answered.count(b"HTTP/1.1 200 OK") <= http_protocol.MAX_PIPELINED + 1


def _read_line(connection: socket.socket) -> bytes:
    """The status line of the next answer, whose rest is read, too."""
    answer = b""
    while not answer.endswith(b"}"):
        answer += connection.recv(1)
    return answer.partition(b"\r\n")[0]


def test_a_client_that_never_reads_its_answer_is_cut_off(
    connect: Any, server: uvicorn.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "STALLED_SECONDS", 0.1)
    state = server.server_state
    others, answered = set(state.connections), state.total_requests  # of tests before
    connection = connect()
    connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")

    _until(lambda: state.total_requests > answered and not state.tasks)
    _until(lambda: state.connections <= others)


def test_a_full_process_drops_the_longest_silent_connection(
    connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "max_connections", lambda: 3)
    silent = [connect() for _ in range(6)]

    served = connect()
    served.sendall(_head(100))

    assert _read(served)[0] == 200
    assert all(_is_closed(connection) for connection in silent[:4])


def test_the_limit_of_open_files_is_raised_and_leaves_room_for_stores() -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))

        http_protocol.raise_descriptor_limit()

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        http_protocol.max_connections.cache_clear()
        assert (soft, hard) == (min(65_536, before[1]), before[1])
        assert http_protocol.max_connections() == soft - 256
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        http_protocol.max_connections.cache_clear()


def _handshake(connection: socket.socket, *lines: bytes) -> bytes:
    """The status of the answer to the opening of a WebSocket."""
    head = (
        b"GET /ws HTTP/1.1",
        b"Host: x",
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )
    connection.sendall(b"\r\n".join([*head, *lines, b"", b""]))
    return connection.recv(12)[9:]


@pytest.fixture
def one_stream(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Each address may open one stream; this spends it for an address."""
    budget = budgets.Budget("streams of an address", rate=0.001, seconds=1, burst=1)
    monkeypatch.setattr(budgets, "STREAMS", budget)
    return budget.spend


def test_a_handshake_beyond_its_budget_is_refused_before_a_websocket_is_made(
    connect: Any, server: uvicorn.Server, one_stream: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _handshake(connect()) == b"101"
    one_stream("127.0.0.1")
    monkeypatch.setattr(server.config, "ws_protocol_class", None)
    monkeypatch.setattr(http_protocol.Protocol, "_should_upgrade", lambda _: True)
    connection = connect()

    assert _handshake(connection) == b"429"

    answer = connection.makefile("rb").read()
    assert b"\r\nretry-after: 1000\r\n" in answer
    assert b"\r\ncontent-type: application/problem+json\r\n" in answer
    assert b'"code":"too_often"' in answer


def test_behind_a_proxy_the_budget_of_a_handshake_is_that_of_the_client(
    connect: Any, one_stream: Any, settings: Any
) -> None:
    settings.TRUSTED_PROXY_COUNT = 1
    one_stream("127.0.0.1")
    one_stream("192.0.2.1")

    assert _handshake(connect(), b"X-Forwarded-For: 192.0.2.1") == b"429"
    assert _handshake(connect(), b"X-Forwarded-For: 192.0.2.2") == b"101"
