"""The bounds in front of everything: size, time and depth of a body; what is refused never reaches the application."""

import asyncio
import json
from typing import Any

import pytest

from auction_project import bounds

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
    await bounds.Bounds(app)(scope, receive, send)
    if not sent:
        return None, {}, app
    body = sent[1]["body"]
    return sent[0]["status"], json.loads(body) if body else {}, app


def _length(size: int) -> tuple[bytes, bytes]:
    return b"content-length", str(size).encode()


GONE = {"type": "http.disconnect"}


async def test_a_body_reaches_the_application_whole_and_then_the_disconnect() -> None:
    status, _, app = await _ask([*_parts(b'{"a"', b"", b": 1}"), GONE], _length(8), JSON)

    assert (status, app.bodies, app.afterwards) == (200, [b'{"a": 1}'], ["http.disconnect"])


async def test_a_request_without_a_body_passes_and_hears_only_the_disconnect_afterwards() -> None:
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
        status, _, app = await _ask([*_parts(b"x" * 100_000), GONE], _length(100_000), FORM, path=path)
        assert (status, len(app.bodies)) == (200, 1)
    status, problem, _ = await _ask([], _length(bounds.MAX_UPLOAD_BYTES + 1), FORM, path="/admin/")
    assert (status, problem["limit_bytes"]) == (413, 22020096)


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
async def test_nesting_is_counted_whatever_a_body_says_that_it_is(content_type: bytes) -> None:
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
    found, problem, app = await _ask([*_parts(body), GONE], _length(len(body)), JSON)

    assert found == status
    assert problem.get("code") == ("body_too_deep" if status == 400 else None)
    assert len(app.bodies) == (status == 200)


async def test_other_scopes_pass_untouched() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope, receive, send))

    await bounds.Bounds(app)({"type": "websocket"}, "receive", "send")

    assert seen == [({"type": "websocket"}, "receive", "send")]
