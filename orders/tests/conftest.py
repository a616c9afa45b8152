"""What the tests of orders share: the real bank, sales, and a client for each kind of user."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from auction_project.kernel import tokens
from orders import capture_calls, provider
from orders.tests import bank_process, sales

READ_SECONDS = 0.4
LATE_CALL_SECONDS = 10.0


@pytest.fixture(scope="session")
def _shared_bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[bank_process.BankProcess]:
    bank = bank_process.BankProcess(tmp_path_factory.mktemp("bank") / "bank.sqlite3")
    bank.start()
    yield bank
    bank.kill()


def _use(bank: bank_process.BankProcess, settings: Any) -> bank_process.BankProcess:
    provider.current.close()
    settings.BANK_URL = bank.url
    settings.BANK_API_KEY = bank_process.API_KEY
    settings.BANK_TIMEOUT_SECONDS = READ_SECONDS
    return bank


@pytest.fixture(autouse=True)
def _no_connection_outlives_a_test() -> Iterator[None]:
    yield
    wait_for_late_calls()
    provider.current.close()


def wait_for_late_calls() -> None:
    """Wait until each call that is answered late has written that down."""
    deadline = time.monotonic() + LATE_CALL_SECONDS
    while capture_calls.current()._open and time.monotonic() < deadline:
        time.sleep(0.01)


@pytest.fixture
def bank(_shared_bank: bank_process.BankProcess, settings: Any) -> bank_process.BankProcess:
    """A bank that others have used, and that stays as it is."""
    return _use(_shared_bank, settings)


@pytest.fixture
def own_bank(tmp_path: Path, settings: Any) -> Iterator[bank_process.BankProcess]:
    """A bank of the test's own: empty, and to be killed."""
    bank = bank_process.BankProcess(tmp_path / "bank.sqlite3")
    bank.start()
    yield _use(bank, settings)
    if bank.is_running():
        bank.resume()
        bank.kill()


@pytest.fixture
def sale() -> sales.Sale:
    return sales.new_sale()


@pytest.fixture
def client_of() -> Callable[..., Client]:
    """`client_of(user_id, "bidder")`: a client that sends that user's access token."""

    def make(user_id: str, *roles: str) -> Client:
        now = int(time.time())
        token = tokens.sign(sub=user_id, roles=roles or ("bidder",), created_at=now, now=now, seconds=300)
        return Client(headers={"Authorization": f"Bearer {token}"})

    return make
