"""The provider's HTTP: its API key, its paths, and no answer where a card times out.

    POST /payments                 Idempotency-Key; {"token", "amount", "currency", "reference"}
                                   -> captured | declined | cancelled
    GET  /payments?after=&limit=   all, oldest first
    GET  /payments/{key}
    POST /payments/{key}/cancel    -> captured | cancelled
    POST /payments/{key}/refund    all of it
    POST /payments/{key}/refunds   Idempotency-Key; {"amount"}: a part of it
    PUT  /cards/{token}            {"behaviour"}: change how the card behaves
    GET  /healthz                  without a key

Everything else needs `Authorization: Bearer <BANK_API_KEY>`. `Loop` fits `auction_project.processes.running`.
"""

import hmac
import json
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from orders.bank import store as stores

MAX_BODY_BYTES = 16 * 1024
MAX_KEY_CHARACTERS = 200
MAX_TOKEN_CHARACTERS = 100
MAX_PAGE_ROWS = 1000
IDLE_CONNECTION_SECONDS = 60
DRAIN_SECONDS = 5.0
_FIELDS: dict[str, type] = {"token": str, "amount": int, "currency": str, "reference": str}


class Loop:
    """Serves in threads of its own. Each `step` lets late captures land.

    `late_seconds`: after how long a late capture lands; `hang_seconds`: how long an unanswered request stays open.
    """

    name = "bank"

    def __init__(
        self, *, host: str, port: int, data: Path, api_key: str, late_seconds: float, hang_seconds: float
    ) -> None:
        self._store = stores.Store(data, late_seconds=late_seconds)
        self._server = _Server((host, port), _Handler)
        self._server.store, self._server.api_key, self._server.hang_seconds = (
            self._store,
            api_key,
            hang_seconds,
        )
        self.url = f"http://{host}:{self._server.server_port}"
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True
        ).start()

    def step(self) -> bool:
        self._store.land_due(now=time.time())
        return False

    def close(self) -> None:
        """Accept no more connections, finish the requests under way, close the file."""
        self._server.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._server.wait_until_idle(DRAIN_SECONDS)
        self._store.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    store: stores.Store
    api_key: str
    hang_seconds: float

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.stopping = threading.Event()
        self._open_requests = 0
        self._idle = threading.Condition()

    def count(self, step: int) -> None:
        with self._idle:
            self._open_requests += step
            self._idle.notify_all()

    def wait_until_idle(self, seconds: float) -> None:
        with self._idle:
            self._idle.wait_for(lambda: self._open_requests == 0, seconds)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_CONNECTION_SECONDS
    wbufsize = -1  # head and body leave in one packet
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def do_PUT(self) -> None:
        self._serve("PUT")

    def log_message(self, *_: Any) -> None:
        """Log nothing: the store has what happened, and a line for each request would only repeat it."""

    def _serve(self, method: str) -> None:
        self.server.count(+1)
        try:
            if self.server.stopping.is_set():
                raise stores.Refusal(503, "stopping", "The provider is going down.")
            answer = self._route(method)
            if answer is None:
                self.server.stopping.wait(self.server.hang_seconds)
                self.close_connection = True
            else:
                self._answer(200, answer)
        except stores.Refusal as refusal:
            self.close_connection = self.close_connection or refusal.status in (400, 401, 413, 503)
            self._answer(refusal.status, {"code": refusal.code, "detail": refusal.detail})
        except (ConnectionError, TimeoutError):
            self.close_connection = True
        finally:
            self.server.count(-1)

    def _route(self, method: str) -> dict[str, Any] | None:
        """The body of the answer; None when the provider does not answer. Raises stores.Refusal."""
        url = urllib.parse.urlsplit(self.path)
        parts = [urllib.parse.unquote(part) for part in url.path.split("/")[1:]]
        if (method, parts) == ("GET", ["healthz"]):
            return {"status": "ok"}
        self._check_key()
        body, now, store = self._body(), time.time(), self.server.store
        match (method, *parts):
            case ("POST", "payments"):
                payment, is_answered = store.capture(self._idempotency_key(), _request(body), now=now)
                return payment if is_answered else None
            case ("GET", "payments"):
                query = dict(urllib.parse.parse_qsl(url.query))
                limit = min(MAX_PAGE_ROWS, _number(query.get("limit", "100")))
                return store.list(after=_number(query.get("after", "0")), limit=limit, now=now)
            case ("GET", "payments", key):
                return store.get(key, now=now)
            case ("POST", "payments", key, "cancel"):
                return store.cancel(_key(key), now=now)
            case ("POST", "payments", key, "refund"):
                return store.refund(key, now=now)
            case ("POST", "payments", key, "refunds"):
                return store.refund_part(_key(key), self._idempotency_key(), _amount(body), now=now)
            case ("PUT", "cards", token):
                store.switch(token, str(body.get("behaviour")), now=now)
                return {"token": token, "behaviour": body["behaviour"]}
        raise stores.Refusal(404, "no_such_path", "See the list of paths in the provider's documentation.")

    def _check_key(self) -> None:
        authorization = self.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(authorization, f"Bearer {self.server.api_key}".encode()):
            raise stores.Refusal(401, "unauthorized", "Send 'Authorization: Bearer <API key>'.")

    def _idempotency_key(self) -> str:
        return _key(self.headers.get("Idempotency-Key", ""))

    def _body(self) -> dict[str, Any]:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            raise stores.Refusal(400, "length_required", "Send the body with its Content-Length.")
        if int(length) > MAX_BODY_BYTES:
            raise stores.Refusal(413, "body_too_large", f"At most {MAX_BODY_BYTES} bytes.")
        content = self.rfile.read(int(length))
        if not content:
            return {}
        try:
            body = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise stores.Refusal(400, "malformed", "The body is not JSON.") from error
        if not isinstance(body, dict):
            raise stores.Refusal(400, "malformed", "The body is not an object.")
        return body

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()


def _request(body: dict[str, Any]) -> dict[str, Any]:
    """The body of a capture, if it is valid. Raises stores.Refusal."""
    if set(body) != set(_FIELDS) or any(type(body[name]) is not kind for name, kind in _FIELDS.items()):
        raise stores.Refusal(400, "malformed", f"A capture has exactly the fields {', '.join(_FIELDS)}.")
    if (
        not 0 < body["amount"] < 2**53
        or len(body["currency"]) != 3
        or len(body["token"]) > MAX_TOKEN_CHARACTERS
    ):
        raise stores.Refusal(400, "malformed", "The amount, the currency or the token is not possible.")
    return body


def _amount(body: dict[str, Any]) -> int:
    """The amount of a refund, if it is valid. Raises stores.Refusal."""
    amount = body.get("amount")
    if set(body) != {"amount"} or type(amount) is not int or not 0 < amount < 2**53:
        raise stores.Refusal(400, "malformed", "A refund has exactly the field amount, in minor units.")
    return amount


def _key(text: str) -> str:
    if not 0 < len(text) <= MAX_KEY_CHARACTERS:
        raise stores.Refusal(
            400, "key_required", f"An idempotency key has 1 to {MAX_KEY_CHARACTERS} characters."
        )
    return text


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 18:
        raise stores.Refusal(400, "malformed", "after and limit are whole numbers.")
    return int(text)
