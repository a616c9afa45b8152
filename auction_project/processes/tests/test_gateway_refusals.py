"""What the gateway refuses before a service sees it: bad tokens, floods, private paths, what is no request."""

import functools
import json
import re
import tempfile
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import jwt
import pytest
from django.conf import settings
from websockets import http11
from websockets.sync import client as websocket_client
from websockets.sync import server as websocket_server

from auction_project.kernel import errors, tokens
from auction_project.kernel.http import problems
from auction_project.processes import gateway
from auction_project.processes.tests.gateways import AUCTION, Gateway, Start, bearer, token
from auction_project.settings import development_keys
from auction_project.web import http_protocol


@functools.cache
def another_key() -> str:
    """A private key that the settings do not name."""
    with tempfile.TemporaryDirectory() as directory:
        return development_keys.jwt_private_key(Path(directory))


def forged(**headers: Any) -> str:
    """A token with good claims, signed with another RSA key."""
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
    """A token that is signed with the public key as the secret of an HMAC."""
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


def test_the_targets_of_prometheus_are_not_reachable_from_outside(front: Gateway) -> None:
    before = len(front.seen())

    assert front.ask("GET", "/targets").status == 404
    assert len(front.seen()) == before


@pytest.mark.parametrize("path", ["/%72eadyz", "/live%7A", "/%6detrics", "/%74argets"])
def test_a_private_path_is_private_in_any_spelling(front: Gateway, path: str) -> None:
    before = len(front.seen())

    assert front.ask("GET", path).status == 404
    assert len(front.seen()) == before


@pytest.mark.parametrize("path", ["/metrics", "/livez", "/readyz"])
def test_probes_and_metrics_are_on_the_private_port_alone(front: Gateway, path: str) -> None:
    before = len(front.seen())

    assert front.ask("GET", path).status == 404
    assert len(front.seen()) == before
    assert front.ask("GET", path, port=front.private_port).status == 200


@pytest.mark.parametrize(
    ("limits", "method", "path", "user", "allowed"),
    [
        ({"USER_REQUESTS_PER_SECOND": 1}, "GET", "/api/v1/orders", "u1", 10),
        ({"ANONYMOUS_REQUESTS_PER_SECOND": 1.5}, "GET", "/api/v1/products", "", 15),
        ({"BIDS_PER_SECOND": 0.2}, "POST", f"/api/v1/auctions/{AUCTION}/bids", "u1", 3),
        ({"SIGN_INS_PER_MINUTE": 4}, "POST", "/_allauth/app/v1/auth/login", "", 4),
        ({"SIGN_INS_PER_MINUTE": 4}, "POST", "/_allauth/app/v1/auth/%6cogin", "", 4),
        ({"BIDS_PER_SECOND": 0.2}, "POST", f"/api/v1/auctions/{AUCTION}/b%69ds", "u1", 3),
        ({"STREAMS_PER_SECOND": 0.1, "STREAMS_PER_ADDRESS": 2}, "GET", "/api/v1/stream", "", 3),
        ({"STREAMS_PER_SECOND": 0.1, "STREAMS_PER_ADDRESS": 2}, "GET", "/api/v1/%73tream", "", 3),
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


def test_a_budget_of_bids_is_one_for_all_spellings_of_the_path(start: Start) -> None:
    front = start(BIDS_PER_SECOND=0.2)

    answers = [
        front.ask("POST", f"/api/v1/auctions/{AUCTION}/{bids}", bearer(token(sub="u1")))
        for bids in ("bids", "b%69ds", "bi%64s", "bid%73")
    ]

    assert [answer.status for answer in answers] == [200, 200, 200, 429]


def test_so_many_streams_of_an_address_may_be_open_at_once(start: Start) -> None:
    def echo(connection: websocket_server.ServerConnection) -> None:
        for text in connection:
            connection.send(text)

    def answer_check(
        connection: websocket_server.ServerConnection, request: http11.Request
    ) -> http11.Response | None:
        return connection.respond(HTTPStatus.OK, "") if request.path == "/readyz" else None

    with websocket_server.serve(echo, "127.0.0.1", 0, process_request=answer_check) as push:
        threading.Thread(target=push.serve_forever, daemon=True).start()
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
        (b"GET / HTTP/1.1\nHost: a\n\n", 400, http_protocol.RequestMalformed()),
    ],
    ids=["a large head", "a private path", "a bare line feed"],
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
        400: http_protocol.RequestMalformed(),
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
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding : chunked\r\nX: y\r\ncontent-length:5\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X:y\r\n" * 12_000 + b"\r\n",
    ],
    ids=[
        "two lengths",
        "a huge head",
        "no header",
        "two hosts",
        "no host",
        "a length and chunks",
        "chunks and a length",
        "bare line feeds",
        "one bare line feed",
        "a folded line",
        "more lines than a stack has room for",
    ],
)
def test_no_service_sees_what_is_no_request(front: Gateway, raw: bytes) -> None:
    before = len(front.seen())

    assert front.send(raw).startswith(b"HTTP/1.1 400 ")
    assert len(front.seen()) == before


@pytest.mark.parametrize(
    "body",
    [b"a\nb", b"a\r\n b\r\n\r\n", b"content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n"],
    ids=["a line feed", "a folded line", "names of headers"],
)
def test_a_body_may_hold_what_a_head_may_not(front: Gateway, body: bytes) -> None:
    raw = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)

    before = len(front.seen())

    assert front.send(raw).startswith(b"HTTP/1.1 200 ")
    assert len(front.seen()) == before + 1


def test_a_head_that_comes_too_slowly_gets_408(front: Gateway) -> None:
    assert front.send(b"GET / HTTP/1.1\r\nHost: a\r\n").startswith(b"HTTP/1.1 408 ")
