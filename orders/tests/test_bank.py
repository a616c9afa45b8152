"""The bank as a process: its API key, one answer for each key, what survives kill -9, and each card's behaviour."""

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings

from auction_project.kernel import ids
from orders.bank import store as stores
from orders.tests import bank_process

ORDER = {"token": "tok_accepts_1", "amount": 12550, "currency": "EUR", "reference": "GV-1"}


def pay(
    bank: bank_process.BankProcess, key: str, behaviour: str = "accepts", **options: Any
) -> httpx.Response:
    body = ORDER | {"token": f"tok_{behaviour}_1"}
    return bank.ask("POST", "/payments", json=body, headers={"Idempotency-Key": key}, **options)


def pay_without_answer(bank: bank_process.BankProcess, key: str, behaviour: str) -> None:
    with pytest.raises(httpx.ReadTimeout):
        pay(bank, key, behaviour, timeout=0.3)


def status(bank: bank_process.BankProcess, key: str) -> str:
    return str(bank.ask("GET", f"/payments/{key}").json()["status"])


@pytest.fixture
def key() -> str:
    return f"saga:{ids.new_id()}-7:capture_payment"


@pytest.mark.parametrize("sent", ["", "Bearer wrong", f"Basic {bank_process.API_KEY}"])
def test_nothing_but_health_is_answered_without_the_key(
    bank: bank_process.BankProcess, key: str, sent: str
) -> None:
    headers = {"Authorization": sent, "Idempotency-Key": key}

    assert bank.ask("POST", "/payments", json=ORDER, headers=headers).status_code == 401
    assert bank.ask("GET", "/payments", headers=headers).status_code == 401
    assert bank.ask("POST", f"/payments/{key}/cancel", headers=headers).status_code == 401
    assert bank.ask("GET", "/healthz", headers=headers).status_code == 200
    assert bank.ask("GET", f"/payments/{key}").status_code == 404


def test_the_same_key_has_the_same_answer(bank: bank_process.BankProcess, key: str) -> None:
    first = pay(bank, key)

    again = pay(bank, key)

    assert (first.status_code, first.json()["status"]) == (200, "captured")
    assert again.json() == first.json()


def test_the_same_key_with_another_body_is_422_and_changes_nothing(
    bank: bank_process.BankProcess, key: str
) -> None:
    before = pay(bank, key).json()

    answer = bank.ask("POST", "/payments", json=ORDER | {"amount": 1}, headers={"Idempotency-Key": key})

    assert (answer.status_code, answer.json()["code"]) == (422, "key_reused")
    assert bank.ask("GET", f"/payments/{key}").json() == before


def test_a_card_that_refuses_is_declined_for_ever(bank: bank_process.BankProcess, key: str) -> None:
    first = pay(bank, key, "refuses").json()

    assert (first["status"], first["reason"]) == ("declined", "The card was declined.")
    assert pay(bank, key, "refuses").json() == first
    assert bank.ask("POST", f"/payments/{key}/cancel").json()["status"] == "cancelled"
    assert bank.ask("POST", f"/payments/{key}/refund").status_code == 409


def test_a_token_that_names_no_behaviour_is_declined(bank: bank_process.BankProcess, key: str) -> None:
    assert pay(bank, key, "anything").json()["status"] == "declined"


def test_timeout_done_captures_and_never_answers(bank: bank_process.BankProcess, key: str) -> None:
    pay_without_answer(bank, key, "timeout_done")
    pay_without_answer(bank, key, "timeout_done")

    assert status(bank, key) == "captured"
    assert bank.ask("POST", f"/payments/{key}/cancel").json()["status"] == "captured"


def test_timeout_not_done_captures_nothing_and_can_be_cancelled(
    bank: bank_process.BankProcess, key: str
) -> None:
    pay_without_answer(bank, key, "timeout_not_done")

    assert status(bank, key) == "processing"
    assert bank.ask("POST", f"/payments/{key}/cancel").json()["status"] == "cancelled"
    assert pay(bank, key, "timeout_not_done").json()["status"] == "cancelled"


def test_timeout_lands_late_lands_after_the_first_request(bank: bank_process.BankProcess, key: str) -> None:
    pay_without_answer(bank, key, "timeout_lands_late")

    assert status(bank, key) == "processing"
    assert status(bank, key) == "captured"
    assert bank.ask("POST", f"/payments/{key}/cancel").json()["status"] == "captured"


def test_a_late_capture_lands_in_time_and_is_refused_for_ever_after_a_cancellation(
    tmp_path: Path, key: str
) -> None:
    bank = bank_process.BankProcess(tmp_path / "bank.sqlite3", late_seconds=4.0)
    bank.start()
    try:
        pay_without_answer(bank, key, "timeout_lands_late")
        pay_without_answer(bank, f"{key}-2", "timeout_lands_late")
        assert bank.ask("POST", f"/payments/{key}/cancel").json()["status"] == "cancelled"
        deadline = time.monotonic() + 30
        late = {"late_refused": False}
        while not (late["late_refused"] and status(bank, f"{key}-2") == "captured"):
            assert time.monotonic() < deadline, late
            time.sleep(0.1)
            late = bank.ask("GET", f"/payments/{key}").json()

        assert late["status"] == "cancelled"
    finally:
        bank.kill()


def test_a_key_cancelled_before_it_was_seen_refuses_the_capture_that_comes_late(
    bank: bank_process.BankProcess, key: str
) -> None:
    assert bank.ask("POST", f"/payments/{key}/cancel").json()["status"] == "cancelled"

    assert pay(bank, key).json()["status"] == "cancelled"
    assert status(bank, key) == "cancelled"


def test_a_refund_happens_once_and_only_to_what_was_captured(
    bank: bank_process.BankProcess, key: str
) -> None:
    assert bank.ask("POST", f"/payments/{key}/refund").status_code == 404
    pay(bank, key)

    first = bank.ask("POST", f"/payments/{key}/refund").json()

    assert (first["status"], first["refunded"]) == ("captured", True)
    assert bank.ask("POST", f"/payments/{key}/refund").json() == first


def test_the_behaviour_of_a_card_can_be_changed_while_the_bank_runs(
    bank: bank_process.BankProcess, key: str
) -> None:
    body = ORDER | {"token": f"tok_timeout_not_done_{ids.new_id()}"}
    with pytest.raises(httpx.ReadTimeout):
        bank.ask("POST", "/payments", json=body, headers={"Idempotency-Key": key}, timeout=0.3)

    changed = bank.ask("PUT", f"/cards/{body['token']}", json={"behaviour": "accepts"})
    answer = bank.ask("POST", "/payments", json=body, headers={"Idempotency-Key": key})

    assert (changed.status_code, answer.json()["status"]) == (200, "captured")
    assert bank.ask("PUT", f"/cards/{body['token']}", json={"behaviour": "explodes"}).status_code == 400


def test_thirty_two_captures_with_one_key_at_once_are_one(bank: bank_process.BankProcess, key: str) -> None:
    answers: list[Any] = []

    threads = [threading.Thread(target=lambda: answers.append(pay(bank, key).json())) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(answers) == 32
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["status"] == "captured"


def test_requests_that_have_gathered_share_a_commit_and_a_refused_one_leaves_nothing(tmp_path: Path) -> None:
    store = stores.Store(tmp_path / "bank.sqlite3", late_seconds=1000.0)
    commits: list[str] = []
    store._database.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
    outcomes: dict[str, str] = {}

    def capture(key: str, body: dict[str, Any]) -> None:
        try:
            outcomes[key] = store.capture(key, body, now=1.0)[0]["status"]
        except stores.Refusal as refusal:
            outcomes[key] = refusal.code

    capture("0", ORDER)
    commits.clear()
    bodies = {str(number): ORDER for number in range(1, 8)} | {"0": ORDER | {"amount": 1}}
    threads = [threading.Thread(target=capture, args=item) for item in bodies.items()]
    with store._lock:
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 30
        while store._gathered.qsize() < len(threads):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    for thread in threads:
        thread.join(30)

    assert commits == ["COMMIT"]
    assert outcomes == {str(number): "captured" for number in range(1, 8)} | {"0": "key_reused"}
    assert len(store.list(after=0, limit=100, now=2.0)["items"]) == 8
    store.close()


def test_what_was_answered_survives_kill_9(own_bank: bank_process.BankProcess) -> None:
    pay(own_bank, "captured")
    pay(own_bank, "refunded")
    own_bank.ask("POST", "/payments/refunded/refund")
    own_bank.ask("POST", "/payments/cancelled/cancel")
    own_bank.ask("PUT", "/cards/tok_accepts_1", json={"behaviour": "refuses"})
    before = own_bank.ask("GET", "/payments").json()

    own_bank.kill()
    own_bank.start()

    assert own_bank.ask("GET", "/payments").json() == before
    assert [(item["key"], item["status"], item["refunded"]) for item in before["items"]] == [
        ("captured", "captured", False),
        ("refunded", "captured", True),
        ("cancelled", "cancelled", False),
    ]
    assert pay(own_bank, "captured").json()["status"] == "captured"
    assert pay(own_bank, "cancelled").json()["status"] == "cancelled"
    assert pay(own_bank, "after the change").json()["status"] == "declined"


def test_the_list_is_read_page_by_page(own_bank: bank_process.BankProcess) -> None:
    for i in range(5):
        pay(own_bank, f"k{i}")

    first = own_bank.ask("GET", "/payments?limit=3").json()
    second = own_bank.ask("GET", f"/payments?limit=3&after={first['next']}").json()

    assert [item["key"] for item in first["items"] + second["items"]] == ["k0", "k1", "k2", "k3", "k4"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 5000,
        b'{"token": "t"}',
        b'{"token": "t", "amount": true, "currency": "EUR", "reference": "r"}',
        b'{"token": "t", "amount": 0, "currency": "EUR", "reference": "r"}',
        b'{"token": "t", "amount": 1e30, "currency": "EUR", "reference": "r"}',
        b'{"token": "t", "amount": 1, "currency": "EURO", "reference": "r"}',
        b'{"token": "t", "amount": 1, "currency": "EUR", "reference": "r", "more": 1}',
    ],
)
def test_a_malformed_capture_is_400_and_stores_nothing(
    bank: bank_process.BankProcess, key: str, body: bytes
) -> None:
    answer = bank.ask("POST", "/payments", content=body, headers={"Idempotency-Key": key})

    assert answer.status_code == 400
    assert bank.ask("GET", f"/payments/{key}").status_code == 404


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": ""}, {"Idempotency-Key": "k" * 201}])
def test_a_capture_needs_a_key(bank: bank_process.BankProcess, headers: dict[str, str]) -> None:
    assert bank.ask("POST", "/payments", json=ORDER, headers=headers).status_code == 400


def test_other_requests_that_make_no_sense_are_refused(bank: bank_process.BankProcess) -> None:
    assert (
        bank.ask("POST", "/payments", content=b"x" * 20_000, headers={"Idempotency-Key": "k"}).status_code
        == 413
    )
    assert bank.ask("GET", "/nowhere").status_code == 404
    assert bank.ask("GET", "/payments?after=-1").status_code == 400
    assert bank.ask("GET", "/payments?limit=x").status_code == 400


def test_it_ends_well_at_a_sigterm_although_a_request_hangs(own_bank: bank_process.BankProcess) -> None:
    pay_without_answer(own_bank, "k", "timeout_done")

    started = time.monotonic()

    assert own_bank.terminate() == 0
    assert time.monotonic() - started < 20  # the request hangs for longer


def test_the_command_explains_itself() -> None:
    command = [sys.executable, "manage.py", "bank", "--help"]

    printed = subprocess.run(
        command, cwd=settings.BASE_DIR, capture_output=True, text=True, check=True
    ).stdout

    assert all(option in printed for option in ("--host", "--port", "--data", "--late-seconds"))
