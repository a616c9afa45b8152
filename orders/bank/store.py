"""The provider's payments, one row for each idempotency key. It decides; it knows no HTTP and reads no clock.

It promises: a payment is captured at most once, and an answer survives kill -9 (SQLite with `synchronous=FULL`). A
cancelled key stays cancelled: a capture that comes or lands later is refused. `now` is in seconds since the epoch,
amounts are in minor units. What has gathered during a commit is decided in one transaction, and shares the next commit.
"""

import concurrent.futures
import functools
import hashlib
import json
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

ACCEPTS = "accepts"
REFUSES = "refuses"
TIMEOUT_DONE = "timeout_done"
TIMEOUT_NOT_DONE = "timeout_not_done"
TIMEOUT_LANDS_LATE = "timeout_lands_late"
BEHAVIOURS = (ACCEPTS, REFUSES, TIMEOUT_DONE, TIMEOUT_NOT_DONE, TIMEOUT_LANDS_LATE)

PROCESSING = "processing"
CAPTURED = "captured"
DECLINED = "declined"
CANCELLED = "cancelled"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS payments (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    request TEXT NOT NULL,
    token TEXT NOT NULL,
    amount INTEGER NOT NULL,
    currency TEXT NOT NULL,
    reference TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('processing', 'captured', 'declined', 'cancelled')),
    reason TEXT NOT NULL DEFAULT '',
    refunded INTEGER NOT NULL DEFAULT 0 CHECK (refunded = 0 OR status = 'captured'),
    lands_at REAL,
    late_refused INTEGER NOT NULL DEFAULT 0,
    created_at REAL NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS refunds (
    key TEXT PRIMARY KEY,
    payment TEXT NOT NULL REFERENCES payments (key),
    amount INTEGER NOT NULL CHECK (amount > 0),
    created_at REAL NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS refunds_of_payment ON refunds (payment);
CREATE INDEX IF NOT EXISTS payments_landing ON payments (lands_at) WHERE lands_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS cards (token TEXT PRIMARY KEY, behaviour TEXT NOT NULL) STRICT;
"""
_ROWS = """
SELECT payments.*, CASE WHEN refunded THEN amount
    ELSE (SELECT coalesce(sum(amount), 0) FROM refunds WHERE payment = payments.key) END AS refunded_amount FROM payments
"""


class Refusal(Exception):
    """The provider refuses the request. `status` is the HTTP status of the answer, `code` and `detail` its body."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail


_Gathered = tuple[Callable[[], Any], float, "concurrent.futures.Future[Any]"]  # act, now, its answer
_P = ParamSpec("_P")
_R = TypeVar("_R")


def _durable(act: Callable[_P, _R]) -> Callable[_P, _R]:
    """The method decides in a transaction, and returns after its commit."""

    @functools.wraps(act)
    def decide(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        store, now = cast("Store", args[0]), cast(float, kwargs["now"])
        return cast(_R, store._decide_with_others(functools.partial(act, *args, **kwargs), now))

    return decide


class Store:
    """The provider's file. Thread-safe: one request decides at a time. A late capture lands after `late_seconds`."""

    def __init__(self, path: Path, *, late_seconds: float) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._late_seconds = late_seconds
        self._lock = threading.Lock()
        self._gathered: queue.SimpleQueue[_Gathered] = queue.SimpleQueue()
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        self._database.row_factory = sqlite3.Row
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.executescript(_SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._database.close()

    # --- requests -----------------------------------------------------------------------------------

    @_durable
    def capture(self, key: str, request: dict[str, Any], *, now: float) -> tuple[dict[str, Any], bool]:
        """The payment of `key` after this capture, and whether the provider answers in time. Raises Refusal."""
        fingerprint = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
        row = self._find(key)
        if row is None:
            self._insert(key, request, fingerprint, PROCESSING, now)
        elif row["status"] == CANCELLED:
            return _public(row), True
        elif row["request"] != fingerprint:
            raise Refusal(422, "key_reused", "This idempotency key belongs to another request.")
        behaviour = self._behaviour_of(request["token"])
        if row is None or row["status"] == PROCESSING:
            self._act(key, behaviour, now)
        return _public(self._get(key)), not behaviour.startswith("timeout")

    @_durable
    def cancel(self, key: str, *, now: float) -> dict[str, Any]:
        """Decide the payment: `captured` when it was, else `cancelled` for ever, also when the key is new."""
        row = self._find(key)
        if row is None:
            nothing = {"token": "", "amount": 0, "currency": "", "reference": ""}
            self._insert(key, nothing, "", CANCELLED, now)
        elif row["status"] == PROCESSING:
            self._set(key, CANCELLED)
        answer = _public(self._get(key))
        return answer if answer["status"] == CAPTURED else answer | {"status": CANCELLED}

    @_durable
    def refund(self, key: str, *, now: float) -> dict[str, Any]:
        """Give all of the money back, once. Raises Refusal."""
        row = self._captured(key)
        if row["refunded_amount"] and not row["refunded"]:
            raise Refusal(
                409, "refunded_in_part", "Parts of the payment were refunded: refund the rest by its amount."
            )
        self._database.execute("UPDATE payments SET refunded = 1 WHERE key = ?", (key,))
        return _public(self._get(key))

    @_durable
    def refund_part(self, key: str, refund_key: str, amount: int, *, now: float) -> dict[str, Any]:
        """Give `amount` of the money back, once for each `refund_key`. Raises Refusal."""
        row = self._captured(key)
        present = self._database.execute("SELECT * FROM refunds WHERE key = ?", (refund_key,)).fetchone()
        if present is not None:
            if (present["payment"], present["amount"]) != (key, amount):
                raise Refusal(422, "key_reused", "This idempotency key belongs to another refund.")
            return _public(row)
        if row["refunded_amount"] + amount > row["amount"]:
            raise Refusal(
                409, "too_much", f"Only {row['amount'] - row['refunded_amount']} are left of the payment."
            )
        self._database.execute(
            "INSERT INTO refunds (key, payment, amount, created_at) VALUES (?, ?, ?, ?)",
            (refund_key, key, amount, now),
        )
        return _public(self._get(key))

    @_durable
    def get(self, key: str, *, now: float) -> dict[str, Any]:
        """The payment as it is now. A late capture lands right after this call. Raises Refusal."""
        row = self._get(key)
        if row["status"] == PROCESSING and row["lands_at"] is not None:
            self._database.execute("UPDATE payments SET lands_at = ? WHERE key = ?", (now, key))
        return _public(row)

    @_durable
    def list(self, *, after: int, limit: int, now: float) -> dict[str, Any]:
        """At most `limit` payments after the seq `after`, oldest first; `next` is the `after` of the next page."""
        rows = self._database.execute(
            f"{_ROWS} WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
        ).fetchall()
        return {"items": [_public(row) for row in rows], "next": rows[-1]["seq"] if rows else after}

    @_durable
    def switch(self, token: str, behaviour: str, *, now: float) -> None:
        """Change how the card behaves, in place of what its token says. Raises Refusal."""
        if behaviour not in BEHAVIOURS:
            raise Refusal(400, "unknown_behaviour", f"A card's behaviour is one of {', '.join(BEHAVIOURS)}.")
        self._database.execute(
            "INSERT OR REPLACE INTO cards (token, behaviour) VALUES (?, ?)", (token, behaviour)
        )

    @_durable
    def land_due(self, *, now: float) -> None:
        """Let the late captures land whose time has come, as every request does."""

    # --- inside --------------------------------------------------------------------------------------

    def _decide_with_others(self, act: Callable[[], Any], now: float) -> Any:
        """What `act` returns or raises, when it is committed. The first to get the lock decides all that has gathered."""
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        self._gathered.put((act, now, future))
        with self._lock:
            if not future.done():
                self._decide([self._gathered.get() for _ in range(self._gathered.qsize())])
        return future.result()

    def _decide(self, requests: Sequence[_Gathered]) -> None:
        """Decide these requests, one after the other, in one transaction, and then answer them."""
        decided: list[tuple[Any, BaseException | None]]
        try:
            self._database.execute("BEGIN IMMEDIATE")
            decided = [self._decide_one(act, now) for act, now, _ in requests]
            self._database.execute("COMMIT")
        except BaseException as failure:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            decided = [(None, failure)] * len(requests)
        for (_, _, future), (answer, error) in zip(requests, decided, strict=True):
            if error is None:
                future.set_result(answer)
            else:
                future.set_exception(error)

    def _decide_one(self, act: Callable[[], Any], now: float) -> tuple[Any, BaseException | None]:
        """The answer or the refusal. What a refused request wrote is rolled back."""
        self._database.execute("SAVEPOINT request")
        try:
            self._land(now)
            return act(), None
        except Refusal as refusal:
            self._database.execute("ROLLBACK TO request")
            return None, refusal
        finally:
            self._database.execute("RELEASE request")

    def _land(self, now: float) -> None:
        due = "lands_at IS NOT NULL AND lands_at <= ?"
        self._database.execute(
            f"UPDATE payments SET late_refused = 1, lands_at = NULL WHERE status = '{CANCELLED}' AND {due}",  # noqa: S608
            (now,),
        )
        self._database.execute(
            f"UPDATE payments SET status = '{CAPTURED}', lands_at = NULL WHERE status = '{PROCESSING}' AND {due}",  # noqa: S608
            (now,),
        )

    def _act(self, key: str, behaviour: str, now: float) -> None:
        if behaviour in (ACCEPTS, TIMEOUT_DONE):
            self._set(key, CAPTURED)
        elif behaviour == REFUSES:
            self._set(key, DECLINED, reason="The card was declined.")
        elif behaviour == TIMEOUT_LANDS_LATE:
            self._database.execute(
                "UPDATE payments SET lands_at = coalesce(lands_at, ?) WHERE key = ?",
                (now + self._late_seconds, key),
            )

    def _behaviour_of(self, token: str) -> str:
        row = self._database.execute("SELECT behaviour FROM cards WHERE token = ?", (token,)).fetchone()
        if row is not None:
            return str(row["behaviour"])
        behaviour = token.removeprefix("tok_").rpartition("_")[0]
        return behaviour if behaviour in BEHAVIOURS else REFUSES

    def _find(self, key: str) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._database.execute(f"{_ROWS} WHERE key = ?", (key,)).fetchone()
        return row

    def _captured(self, key: str) -> sqlite3.Row:
        row = self._get(key)
        if row["status"] != CAPTURED:
            raise Refusal(409, "not_captured", f"The payment is {row['status']}: there is nothing to refund.")
        return row

    def _get(self, key: str) -> sqlite3.Row:
        row = self._find(key)
        if row is None:
            raise Refusal(404, "not_found", "No payment has this key.")
        return row

    def _insert(self, key: str, request: dict[str, Any], fingerprint: str, status: str, now: float) -> None:
        self._database.execute(
            "INSERT INTO payments (key, request, token, amount, currency, reference, status, created_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                key,
                fingerprint,
                *(request[n] for n in ("token", "amount", "currency", "reference")),
                status,
                now,
            ),
        )

    def _set(self, key: str, status: str, *, reason: str = "") -> None:
        self._database.execute(
            "UPDATE payments SET status = ?, reason = ?, lands_at = CASE WHEN ? = ? THEN lands_at END WHERE key = ?",
            (status, reason, status, CANCELLED, key),
        )


def _public(row: sqlite3.Row) -> dict[str, Any]:
    names = ("key", "reference", "status", "reason", "amount", "currency", "refunded_amount")
    flags = ("refunded", "late_refused")
    return {name: row[name] for name in names} | {name: bool(row[name]) for name in flags}
