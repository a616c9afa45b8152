"""The bounds in front of everything: size, time and depth of a body; what is refused never reaches the application."""

import asyncio
import json
from typing import Any

import pytest

from auction_project.web import bounds

JSON = (b"content-type", b"application/json")
FORM = (b"content-type", b"multipart/form-data; boundary=b")


class _Application:
    """Remembers the body that it got, and what `receive` says afterwards."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.afterwards: list[str] = []

    async def __call__(self, _scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        assert (message["type"], message["more_body"]) == ("http.request", False)
        self.bodies.append(message["body"])
        self.afterwards.append((await receive())["type"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def _parts(*parts: bytes) -> list[dict[str, Any]]:
    return [
        {"type": "http.request", "body": part, "more_body": number < len(parts) - 1}
        for number, part in enumerate(parts)
    ]


async def _ask(
    messages: list[dict[str, Any]],
    *headers: tuple[bytes, bytes],
    method: str = "POST",
    path: str = "/api/v1/auctions",
    app: _Application | None = None,
    may_upload: Any = None,
) -> tuple[int | None, dict[str, Any], _Application]:
    """Status, problem and the application; status None: nothing was answered."""
    app = app or _Application()
    waiting, sent = list(messages), []

    async def receive() -> dict[str, Any]:
        if not waiting:
            await asyncio.sleep(3600)
        return waiting.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": list(headers)}
    await bounds.Bounds(app, may_upload)(scope, receive, send)
    if not sent:
        return None, {}, app
    body = sent[1]["body"]
    return sent[0]["status"], json.loads(body) if body else {}, app


def _length(size: int) -> tuple[bytes, bytes]:
    return b"content-length", str(size).encode()


GONE = {"type": "http.disconnect"}


async def _anyone(_scope: Any) -> bool:
    return True


async def _no_one(_scope: Any) -> bool:
    return False


class _Sender:
    """An upload whose body ends when the test says so."""

    def __init__(self, address: str = "192.0.2.1") -> None:
        self.status: int | None = None
        self.is_read = False
        self._address = address
        self._whole = asyncio.Event()
        self._messages = [*_parts(b"x"), GONE]

    def finish(self) -> None:
        self._whole.set()

    async def send_to(self, middleware: bounds.Bounds) -> None:
        scope = {"type": "http", "method": "POST", "path": "/api/v1/products", "client": (self._address, 1)}
        await middleware({**scope, "headers": [FORM, _length(1)]}, self._receive, self._send)

    async def _receive(self) -> dict[str, Any]:
        self.is_read = True
        await self._whole.wait()
        return self._messages.pop(0)

    async def _send(self, message: dict[str, Any]) -> None:
        self.status = message.get("status", self.status)


async def _settle(holds: Any) -> None:
    for _ in range(20_000):  # only bounds a test that fails
        if holds():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it did not happen")


async def test_a_body_reaches_the_application_whole_and_then_the_disconnect() -> None:
    status, _, app = await _ask([*_parts(b'{"a"', b"", b": 1}"), GONE], _length(8), JSON)

    assert (status, app.bodies, app.afterwards) == (200, [b'{"a": 1}'], ["http.disconnect"])


async def test_a_request_without_a_body_passes_and_gets_only_the_disconnect_afterwards() -> None:
    status, _, app = await _ask([*_parts(b""), GONE], method="GET")

    assert (status, app.bodies, app.afterwards) == (200, [b""], ["http.disconnect"])


@pytest.mark.parametrize("size", [bounds.MAX_BODY_BYTES, bounds.MAX_BODY_BYTES + 1])
async def test_a_body_is_64_kib_at_most(size: int) -> None:
    chunks = [b"x" * 1000] * (size // 1000) + [b"x" * (size % 1000)]
    status, problem, app = await _ask([*_parts(*chunks), GONE], (b"transfer-encoding", b"chunked"))

    if size == bounds.MAX_BODY_BYTES:
        assert (status, app.bodies) == (200, [b"x" * size])
    else:
        assert (status, problem["code"], problem["limit_bytes"]) == (413, "body_too_large", 65536)
        assert app.bodies == []


async def test_a_body_that_says_it_is_too_large_is_refused_unread() -> None:
    status, problem, app = await _ask([], _length(65537))

    assert (status, problem["code"], app.bodies) == (413, "body_too_large", [])


async def test_uploads_have_a_bound_of_their_own() -> None:
    for path in bounds.UPLOAD_PREFIXES:
        status, _, app = await _ask(
            [*_parts(b"x" * 100_000), GONE], _length(100_000), FORM, path=path, may_upload=_anyone
        )
        assert (status, len(app.bodies)) == (200, 1)
    status, problem, _ = await _ask(
        [], _length(bounds.MAX_UPLOAD_BYTES + 1), FORM, path="/admin/", may_upload=_anyone
    )
    assert (status, problem["limit_bytes"]) == (413, 22020096)


@pytest.mark.parametrize("path", bounds.UPLOAD_PREFIXES)
async def test_an_upload_of_a_stranger_is_refused_unread(path: str) -> None:
    status, problem, app = await _ask([], _length(100_000), FORM, path=path, may_upload=_no_one)

    assert (status, problem["code"], app.bodies) == (401, "unauthenticated", [])


async def test_a_form_of_a_stranger_without_files_takes_no_place_of_an_upload() -> None:
    """The view says how to sign in; the sender is as slow as with any other body."""
    at_once = bounds.UPLOADS_AT_ONCE + 1
    senders = [_Sender() for _ in range(at_once)]
    middleware = bounds.Bounds(_Application(), _no_one)
    slow = [asyncio.create_task(sender.send_to(middleware)) for sender in senders]
    await _settle(lambda: all(sender.is_read for sender in senders))

    for sender in senders:
        sender.finish()
    await asyncio.gather(*slow)

    assert [sender.status for sender in senders] == [200] * at_once


async def test_an_address_has_its_share_of_the_uploads_and_holds_up_no_other() -> None:
    middleware = bounds.Bounds(_Application(), _anyone)
    slow = [_Sender("192.0.2.1") for _ in range(3 * bounds.UPLOADS_AT_ONCE)]
    tasks = [asyncio.create_task(sender.send_to(middleware)) for sender in slow]
    await _settle(lambda: sum(sender.is_read for sender in slow) == bounds.UPLOADS_PER_ADDRESS)

    other = _Sender("192.0.2.2")
    other.finish()
    await other.send_to(middleware)

    assert other.status == 200
    assert sum(sender.is_read for sender in slow) == bounds.UPLOADS_PER_ADDRESS
    for sender in slow:
        sender.finish()
    await asyncio.gather(*tasks)
    assert {sender.status for sender in slow} == {200}


async def test_an_upload_waits_for_its_turn_up_to_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "UPLOAD_WAIT_SECONDS", 0.05)
    middleware = bounds.Bounds(_Application(), _anyone)
    slow = [_Sender() for _ in range(bounds.UPLOADS_PER_ADDRESS)]
    tasks = [asyncio.create_task(sender.send_to(middleware)) for sender in slow]
    await _settle(lambda: all(sender.is_read for sender in slow))

    late = _Sender()
    async with asyncio.timeout(20):  # only bounds a test that fails
        await late.send_to(middleware)

    assert (late.status, late.is_read) == (503, False)
    for sender in slow:
        sender.finish()
    await asyncio.gather(*tasks)


async def test_what_is_no_form_with_files_is_no_upload_wherever_it_goes() -> None:
    status, problem, app = await _ask([], _length(65537), JSON, path="/admin/")

    assert (status, problem["limit_bytes"], app.bodies) == (413, 65536, [])


@pytest.mark.parametrize("charset", ["zlib", "utf-16", '"UTF-7"'])
async def test_text_in_another_charset_is_refused(charset: str) -> None:
    content_type = f"multipart/form-data; boundary=b; charset={charset}".encode()

    status, problem, app = await _ask([*_parts(b"x"), GONE], _length(1), (b"content-type", content_type))

    assert (status, problem["code"], problem["field"]) == (415, "wrong_charset", "Content-Type")
    assert app.bodies == []


@pytest.mark.parametrize("content_type", [b"text/plain", b"Application/JSON; charset=UTF-8", b""])
async def test_nesting_is_counted_for_every_content_type(content_type: bytes) -> None:
    body = b"[" * 60_000

    status, problem, app = await _ask(
        [*_parts(body), GONE], _length(len(body)), (b"content-type", content_type)
    )

    assert (status, problem["code"], app.bodies) == (400, "body_too_deep", [])


@pytest.mark.parametrize("arrived", [[], [{"type": "http.request", "body": b"{", "more_body": True}]])
@pytest.mark.parametrize(
    "header", [_length(9), (b"transfer-encoding", b"chunked"), (b"content-length", b"x")]
)
async def test_a_body_that_trickles_in_or_never_comes_is_refused(
    arrived: list[dict[str, Any]], header: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "BODY_SECONDS", 0.05)

    status, problem, app = await asyncio.wait_for(_ask(arrived, header), 5)

    assert (status, problem["code"], app.bodies) == (408, "body_too_slow", [])


async def test_an_upload_has_its_own_longer_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "BODY_SECONDS", 0.05)
    monkeypatch.setattr(bounds, "UPLOAD_SECONDS", 0.4)
    options = {"path": "/admin/", "may_upload": _anyone}

    upload = asyncio.create_task(_ask([], _length(9), FORM, **options))
    other = await _ask([], _length(9), JSON)

    assert (other[0], other[1]["limit_seconds"], upload.done()) == (408, 0.05, False)
    status, problem, app = await upload
    assert (status, problem["limit_seconds"], app.bodies) == (408, 0.4, [])


async def test_a_client_that_leaves_in_the_middle_changes_nothing() -> None:
    half = {"type": "http.request", "body": b'{"amount": 1', "more_body": True}

    status, _, app = await _ask([half, GONE], _length(20), JSON)

    assert (status, app.bodies) == (None, [])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[" * 32 + b"]" * 32, 200),
        (b"[" * 33 + b"]" * 33, 400),
        (b'{"a":' * 33 + b"1" + b"}" * 33, 400),
        (b"[" + b"[]," * 500 + b"[]]", 200),
        (b'["' + b"[" * 500 + b'"]', 200),
        (b'["\\"' + b"[" * 500 + b'"]', 200),
    ],
)
async def test_json_nests_32_deep_at_most(body: bytes, status: int) -> None:
    answered, problem, app = await _ask([*_parts(body), GONE], _length(len(body)), JSON)

    assert answered == status
    assert problem.get("code") == ("body_too_deep" if status == 400 else None)
    assert len(app.bodies) == (status == 200)
