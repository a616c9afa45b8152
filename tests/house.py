"""The running stack as a test uses it: users of the API, products, auctions, raw stores, and controls that stop servers."""

import json
import os
import re
import shlex
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import environ
import httpx
import psycopg
import redis
from django.conf import settings

from auction_project.kernel import databases, instants, tokens
from auction_project.processes.stack import Stack

ROOT = Path(__file__).resolve().parents[1]
PASSWORD = "correct-horse-battery"
ACCEPTS = "4242424242424242"
WAIT_SECONDS = 60.0  # a wait ends when its condition holds; this only bounds a test that fails
_NAMES_OF_MONGODB = ("mongodb", "mongo")  # the service controls know it by either name
_WARNING = re.compile(r"\S+ \[(warning|error|critical) *\]")


class House:
    """See the module."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.url = stack.url
        self.http = httpx.Client(base_url=stack.url, timeout=10)
        self._clerk = subprocess.Popen(
            [sys.executable, "-m", "tests.clerk"],
            cwd=ROOT,
            env=stack.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.operator = self.new_account("operator", "bidder")
        self.seller = self.new_account("seller", "bidder")

    def close(self) -> None:
        self.http.close()
        self._clerk.communicate()

    def warnings(self, *, since: float) -> str:
        """What the roles have logged as a warning or an error since then (seconds of the clock), without tracebacks."""
        first = datetime.fromtimestamp(since, UTC).isoformat()
        return "\n".join(
            f"{log.stem}: {line}"
            for log in sorted(self.stack.directory.glob("*.log"))
            for line in log.read_text(errors="replace").splitlines()
            if line >= first and _WARNING.match(line)
        )

    def manage(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a management command against the stack's stores."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.stack.environment | environment,
            check=False,
            capture_output=True,
            text=True,
        )

    def call(self, function: str, **arguments: Any) -> Any:
        """Call a function of `clerk`; its result."""
        assert self._clerk.stdin is not None
        assert self._clerk.stdout is not None
        self._clerk.stdin.write(json.dumps([function, arguments]) + "\n")
        self._clerk.stdin.flush()
        answer = json.loads(self._clerk.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["answer"]

    def rows(self, alias: str, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """The rows that one SQL statement returns in the database `alias`."""
        with connect(alias) as connection:
            return connection.execute(statement, parameters).fetchall()

    def value(self, alias: str, statement: str, *parameters: object) -> Any:
        """The single value that a SQL statement returns, None without a row."""
        rows = self.rows(alias, statement, *parameters)
        return rows[0][0] if rows else None

    def assert_verified(self, *arguments: str) -> None:
        """Nothing is under way any more, and every invariant holds."""
        report = self.manage("verify", "--settled", *arguments)
        assert report.returncode == 0, report.stdout + report.stderr

    def control(self, action: str, service: str) -> None:
        """Kill, pause, resume or start the server `service` (postgres, redis, mongodb)."""
        command = shlex.split(os.environ["GAVEL_SERVICE_CONTROL"])
        names = _NAMES_OF_MONGODB if service == "mongodb" else (service,)
        answers = []
        for name in names:
            completed = subprocess.run([*command, action, name], check=False, capture_output=True, text=True)
            if completed.returncode == 0:
                return
            answers.append(completed.stdout + completed.stderr)
        raise AssertionError(f"{action} {service}: {answers}")

    def new_accounts(self, count: int, *, card: str | None = ACCEPTS) -> "list[Person]":
        """Verified bidders, each with `card`."""
        return [self.new_account("bidder", card=card, password=None) for _ in range(count)]

    def new_account(
        self, *roles: str, card: str | None = ACCEPTS, password: str | None = PASSWORD
    ) -> "Person":
        """A verified account. Without a password it cannot log in, and no time goes into hashing one."""
        email = f"{uuid.uuid4().hex[:12]}@example.org"
        user_id = str(self.call("create_account", email=email, password=password, roles=roles, card=card))
        if card:  # tests do not wait until the event arrives
            self.call("report_card", user_id=user_id)
        return Person(self, user_id, email, password or "", roles)

    def new_staff(self, *options: str) -> "Person":
        """An account for the admin, made with these options of `manage.py create_account`."""
        email = f"staff-{uuid.uuid4().hex[:8]}@example.org"
        command = self.manage(
            "create_account", "--email", email, "--password", PASSWORD, "--verified", *options
        )
        assert command.returncode == 0, command.stderr
        return Person(self, "", email, PASSWORD, ())

    def stranger(self, *roles: str) -> "Person":
        """A bidder with a valid token and a reported card, and no account: cheap, for crowds that never pay."""
        person = Person(self, uuid.uuid4().hex, "", "", roles or ("bidder",))
        self.call("report_card", user_id=person.user_id)
        return person

    def new_product(self, *, stock: int, title: str = "Test piece") -> str:
        """A product of the house with `stock` units, made through the services."""
        return str(self.call("create_product", title=title, stock=stock))

    def new_auction(self, product_id: str, *, seconds: float = 7200.0, **terms: Any) -> str:
        """An open auction of a product. By default it outlasts all tests."""
        now = instants.now()
        body = {
            "product_id": product_id,
            "format": "english",
            "currency": "EUR",
            "start_price": "10.00",
            "starts_at": now,
            "ends_at": now + int(seconds * 1000),
            "soft_close": {"window_ms": 0},
            **terms,
        }
        answer = self.operator.post("/api/v1/auctions", body)
        assert answer.status_code == 201, answer.text
        auction_id = str(answer.json()["id"])
        self.wait_until(lambda: self.auction(auction_id)["status"] == "OPEN", "the auction to open")
        return auction_id

    def auction(self, auction_id: str) -> dict[str, Any]:
        answer = self.http.get(f"/api/v1/auctions/{auction_id}")
        answer.raise_for_status()
        return dict(answer.json())

    @staticmethod
    def wait_until(holds: Callable[[], object], what: str, seconds: float = WAIT_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if holds():
                    return
            except httpx.HTTPError:
                pass  # some tests cause an outage
            time.sleep(0.1)
        raise AssertionError(f"waited {seconds:g} s for {what}")

    @staticmethod
    def let_pass(seconds: float) -> None:
        """Wait for as long as a fault lasts."""
        until = time.monotonic() + seconds
        House.wait_until(lambda: time.monotonic() >= until, "time to pass", seconds=seconds + 5)


class Person:
    """A user of the API. Each request carries a fresh access token."""

    def __init__(self, house: House, user_id: str, email: str, password: str, roles: tuple[str, ...]) -> None:
        self._house = house
        self.user_id = user_id
        self.email = email
        self.password = password
        self.roles = roles

    @property
    def headers(self) -> dict[str, str]:
        now = time.time()
        token = tokens.sign(
            sub=self.user_id, roles=self.roles, created_at=int(now) - 10**7, now=now, seconds=300
        )
        return {"Authorization": f"Bearer {token}"}

    def get(self, path: str, **parameters: Any) -> httpx.Response:
        return self._house.http.get(path, params=parameters, headers=self.headers)

    def post(self, path: str, body: dict[str, Any], key: str | None = None, **more: str) -> httpx.Response:
        """POST with an Idempotency-Key and `more` headers."""
        headers = {**self.headers, "Idempotency-Key": key or uuid.uuid4().hex, **more}
        return self._house.http.post(path, json=body, headers=headers)

    def put(self, path: str, body: dict[str, Any]) -> httpx.Response:
        return self._house.http.put(path, json=body, headers=self.headers)

    def delete(self, path: str) -> httpx.Response:
        return self._house.http.delete(path, headers=self.headers)

    def bid(self, auction_id: str, amount: str, key: str | None = None) -> httpx.Response:
        """Place a bid, and confirm it when the answer requires that."""
        path, body = f"/api/v1/auctions/{auction_id}/bids", {"amount": amount, "currency": "EUR"}
        key = key or uuid.uuid4().hex
        answer = self.post(path, body, key)
        if answer.status_code == 409 and answer.json()["code"] == "confirmation_required":
            return self.post(path, body | {"confirmation": answer.json()["confirmation"]}, key)
        return answer

    def set_card(self, number: str) -> None:
        """Put a card on file. Bidding knows of it a moment later."""
        self.put("/api/v1/card", {"number": number}).raise_for_status()

    def buy(self, auction_id: str, quantity: int = 1, key: str | None = None, **more: str) -> httpx.Response:
        """Buy units of a listing, with `more` headers."""
        return self.post(f"/api/v1/auctions/{auction_id}/bids", {"quantity": quantity}, key, **more)

    def orders(self) -> list[dict[str, Any]]:
        return list(self.get("/api/v1/orders").json()["items"])

    def notifications(self) -> list[dict[str, Any]]:
        return list(self.get("/api/v1/notifications").json()["items"])


def empty_stores() -> None:
    """Drop what an earlier session left in the databases and the brokers that the environment names."""
    for alias in databases.ALIASES:
        with connect(alias) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
    empty_redis()


def connect(alias: str) -> psycopg.Connection[tuple[Any, ...]]:
    """A connection to the stack's database `alias`; each statement is a transaction."""
    # Not Django's: it may name a test database.
    parameters = environ.Env().db_url(f"DATABASE_URL_{alias.upper()}")
    return psycopg.connect(
        host=parameters["HOST"],
        port=parameters["PORT"],
        user=parameters["USER"],
        password=parameters["PASSWORD"],
        dbname=parameters["NAME"],
        autocommit=True,
    )


def empty_redis() -> None:
    """Delete everything in the databases of the events, the push hub and the task queues."""
    for url in (settings.REDIS_URL, settings.CELERY_BROKER_URL):
        with redis.Redis.from_url(url) as client:
            client.flushdb()
