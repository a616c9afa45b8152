"""One running stack for all tests that need the whole: every role as a real process, on the servers that the environment
names (`make test` brings embedded ones), on databases of the session's own.
"""

import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import environ
import httpx
import psycopg
import pytest
import redis
from django.conf import settings

from auction_project import db_router, tokens
from auction_project.stack import Stack

ROOT = Path(__file__).resolve().parents[1]
PASSWORD = "correct-horse-battery"


class House:
    """The running stack as a test sees it: HTTP, accounts, products, auctions; and the handles to break it."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.url = stack.url
        self.http = httpx.Client(base_url=stack.url, timeout=10)
        self.operator = self.new_account("operator", "bidder")
        self.seller = self.new_account("seller", "bidder")

    def manage(self, *arguments: str) -> str:
        """Run a management command against the stack's stores; its output."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.stack.environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def verify(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", "verify", "--settled"],
            cwd=ROOT,
            env=self.stack.environment,
            check=False,
            capture_output=True,
            text=True,
        )

    def new_account(self, *roles: str, card: str | None = "4242424242424242", password: str = PASSWORD) -> "Person":
        email = f"{uuid.uuid4().hex[:12]}@example.org"
        user_id = self.manage(
            "create_account", "--email", email, "--password", password, "--verified", "--roles", *roles
        ).strip()
        person = Person(self, user_id, email, password, roles)
        if card is not None:
            answer = person.put("/api/v1/card", {"number": card})
            assert answer.status_code == 200, answer.text
        return person

    def stranger(self, *roles: str) -> "Person":
        """Somebody with a valid token whom accounts never heard of: cheap, for crowds without cards."""
        return Person(self, uuid.uuid4().hex, "", "", roles or ("bidder",))

    def new_product(self, *, stock: int, title: str = "Test piece") -> str:
        """A product of the house with `stock` units, made through the services."""
        sku = uuid.uuid4().hex[:12]
        script = (
            "from datetime import datetime, UTC; from inventory import services, models; now = datetime.now(UTC);"
            f"services.create_product(product_id={uuid.uuid4().hex!r}, sku={sku!r}, title={title!r}, description='',"
            " condition='GOOD', owner_id='house', actor='test', now=now);"
            f"product = models.Product.objects.get(sku={sku!r});"
            "warehouse = models.Warehouse.objects.order_by('priority').first().code;"
            f"services.receive_stock(key={sku!r}, product_id=product.id, warehouse=warehouse, quantity={stock},"
            " actor='test', now=now); print(product.id)"
        )
        return self.manage("shell", "--no-imports", "-c", script).strip().splitlines()[-1]

    def new_auction(self, product_id: str, *, seconds: float = 600.0, **terms: Any) -> str:
        """An auction of a product that is open, or the test fails."""
        now = int(time.time() * 1000)
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
    def wait_until(holds: Callable[[], object], what: str, seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if holds():
                    return
            except httpx.HTTPError:
                pass  # an outage is what some tests are about
            time.sleep(0.1)
        raise AssertionError(f"waited {seconds:g} s for {what}")


class Person:
    """Somebody who asks the API with a fresh access token."""

    def __init__(self, house: House, user_id: str, email: str, password: str, roles: tuple[str, ...]) -> None:
        self._house = house
        self.user_id = user_id
        self.email = email
        self.password = password
        self.roles = roles

    @property
    def headers(self) -> dict[str, str]:
        now = time.time()
        token = tokens.sign(sub=self.user_id, roles=self.roles, created_at=int(now) - 10**7, now=now, seconds=300)
        return {"Authorization": f"Bearer {token}"}

    def get(self, path: str, **parameters: Any) -> httpx.Response:
        return self._house.http.get(path, params=parameters, headers=self.headers)

    def post(self, path: str, body: dict[str, Any], key: str | None = None) -> httpx.Response:
        headers = {**self.headers, "Idempotency-Key": key or uuid.uuid4().hex}
        return self._house.http.post(path, json=body, headers=headers)

    def put(self, path: str, body: dict[str, Any]) -> httpx.Response:
        return self._house.http.put(path, json=body, headers=self.headers)

    def bid(self, auction_id: str, amount: str, key: str | None = None) -> httpx.Response:
        return self.post(f"/api/v1/auctions/{auction_id}/bids", {"amount": amount, "currency": "EUR"}, key)

    def buy(self, auction_id: str, quantity: int = 1, key: str | None = None) -> httpx.Response:
        return self.post(f"/api/v1/auctions/{auction_id}/bids", {"quantity": quantity}, key)

    def orders(self) -> list[dict[str, Any]]:
        return list(self.get("/api/v1/orders").json()["items"])

    def notifications(self) -> list[dict[str, Any]]:
        return list(self.get("/api/v1/notifications").json()["items"])


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The stack, started once; emptied stores before, everything ended after."""
    directory = tmp_path_factory.mktemp("stack")
    database = f"gavel_stack_{uuid.uuid4().hex[:8]}"
    environment = {
        "DJANGO_SETTINGS_MODULE": "auction_project.settings.base",
        "MONGODB_DATABASE": database,
        "BANK_TIMEOUT_SECONDS": "0.5",
    }
    _empty_stores()
    stack = Stack(directory, environment=environment, web_port=0)
    subprocess.run([sys.executable, "manage.py", "migrate_all"], cwd=ROOT, env=stack.environment, check=True)
    try:
        stack.start()
        yield House(stack)
    finally:
        stack.stop()
        logs = os.environ.get("GAVEL_TEST_LOGS")
        if logs:
            shutil.copytree(directory, logs, dirs_exist_ok=True)


def _empty_stores() -> None:
    """Drop what an earlier session left in the databases and the brokers that the environment names."""
    for alias in db_router.ALIASES:
        parameters = environ.Env().db_url(f"DATABASE_URL_{alias.upper()}")  # not Django's: it may name a test database
        with psycopg.connect(
            host=parameters["HOST"],
            port=parameters["PORT"],
            user=parameters["USER"],
            password=parameters["PASSWORD"],
            dbname=parameters["NAME"],
            autocommit=True,
        ) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
    for url in (settings.REDIS_URL, settings.CELERY_BROKER_URL):
        with redis.Redis.from_url(url) as client:
            client.flushdb()
