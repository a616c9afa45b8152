"""The traffic while something breaks: a listing that sells, and bidders who never stop.

Their clients send a request again under its key when it gets no answer or 503. Each answer is recorded for
`verify --answers`.
"""

import threading
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import msgspec

from auction_project.tools.load import answers as records
from tests.house import House, Person

PATIENCE_SECONDS = 90.0
RETRY_SECONDS = 0.1
PAUSE_SECONDS = 0.4
UNITS = 2_000


class Attempt(msgspec.Struct, frozen=True):
    """One request: when it was sent (monotonic), how long it took, and the answer; status 0: none."""

    sent: float
    seconds: float
    status: int
    retry_after: str | None


class AnswersFile:
    """Answers as `manage.py load` writes them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def add(
        self, auction_id: str, actor: str, key: str, body: dict[str, Any], sent: float, answer: httpx.Response
    ) -> None:
        line = records.line(
            auction_id=auction_id,
            actor=actor,
            key=key,
            body=body,
            sent=sent,
            answered=time.time(),
            status=answer.status_code,
            answer=answer.json(),
        )
        with self._lock, self.path.open("ab") as file:
            file.write(line)


class Client:
    """Sends a bid until it gets an answer, and keeps every attempt."""

    def __init__(self, house: House, answers: AnswersFile) -> None:
        self._house = house
        self._answers = answers
        self.attempts: list[Attempt] = []

    def bid(self, person: Person, auction_id: str, body: dict[str, Any]) -> httpx.Response:
        key, sent = uuid.uuid4().hex, time.time()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            began = time.monotonic()
            try:
                answer = person.post(f"/api/v1/auctions/{auction_id}/bids", body, key)
            except httpx.TransportError:
                self.attempts.append(Attempt(began, time.monotonic() - began, 0, None))
            else:
                retry_after = answer.headers.get("Retry-After")
                self.attempts.append(
                    Attempt(began, time.monotonic() - began, answer.status_code, retry_after)
                )
                if answer.status_code != 503:
                    self._answers.add(auction_id, person.user_id, key, body, sent, answer)
                    return answer
            time.sleep(RETRY_SECONDS)
        raise AssertionError(f"no answer within {PATIENCE_SECONDS:g} s")


class Market:
    """A buy_now listing with many units, and buyers whose cards are accepted."""

    def __init__(self, house: House, answers: AnswersFile) -> None:
        self._house = house
        self._client = Client(house, answers)
        self._buyers = house.new_accounts(8)
        self._next = 0
        self.product_id = house.new_product(stock=UNITS)
        self.listing = house.new_auction(
            self.product_id, format="buy_now", quantity=UNITS, seconds=3600, start_price="5.00"
        )

    def sell(self, count: int) -> list[str]:
        """`count` purchases of one unit each; their sale ids."""
        return [self._sell_one() for _ in range(count)]

    def _sell_one(self) -> str:
        self._next += 1
        answer = self._client.bid(self._buyers[self._next % len(self._buyers)], self.listing, {"quantity": 1})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["sale_id"])

    def wait_until_started(self, sale_ids: list[str], position: int = 0) -> None:
        """Wait until each sale has a saga that has reached `position`."""
        statement = "SELECT count(*) FROM sagas_saga WHERE sale_id = ANY(%s) AND position >= %s"
        self._house.wait_until(
            lambda: self._house.value("sagas", statement, sale_ids, position) == len(sale_ids),
            "the sagas to start",
        )

    def assert_sold(self, sale_ids: list[str]) -> None:
        """Each sale ends as one confirmed order."""
        self._wait_for_all(sale_ids, "COMPLETED")
        confirmed = "SELECT count(DISTINCT o.number) FROM orders_order AS o JOIN orders_orderfact AS fact"
        confirmed += " ON fact.order_id = o.number WHERE fact.kind = 'CONFIRMED' AND o.sale_id = ANY(%s)"
        assert self._house.value("orders", confirmed, sale_ids) == len(sale_ids)

    def assert_undone(self, sale_ids: list[str]) -> None:
        """Each sale is compensated; `verify` checks later that nothing is left of it."""
        self._wait_for_all(sale_ids, "COMPENSATED")

    def _wait_for_all(self, sale_ids: list[str], status: str) -> None:
        ended = "SELECT sale_id FROM sagas_saga WHERE sale_id = ANY(%s) AND status = %s"
        self._house.wait_until(
            lambda: len(self._house.rows("sagas", ended, sale_ids, status)) == len(sale_ids),
            f"all of {sale_ids} to be {status}",
            seconds=PATIENCE_SECONDS,
        )


class Crowd:
    """Two strangers outbid one another on one auction, in a thread. Every fifth bid is too low."""

    def __init__(self, house: House, answers: AnswersFile) -> None:
        self._client = Client(house, answers)
        self._bidders = [house.stranger(), house.stranger()]
        self.auction_id = house.new_auction(house.new_product(stock=1), seconds=3600, start_price="1000.00")
        self._stopped = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def since(self, moment: float, until: float | None = None) -> list[Attempt]:
        """The attempts that were sent at `moment` or later and ended by now, or by `until`."""
        recent = [attempt for attempt in list(self._client.attempts) if attempt.sent >= moment]
        return [attempt for attempt in recent if until is None or attempt.sent + attempt.seconds <= until]

    def accepted_since(self, moment: float) -> int:
        return sum(attempt.status == 201 for attempt in self.since(moment))

    @property
    def is_stopped(self) -> bool:
        return self._stopped.is_set()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            number = 0
            while not self._stopped.is_set():
                number += 1
                amount = "1.00" if number % 5 == 0 else f"{1000 + 210 * number}.00"
                body = {"amount": amount, "currency": "EUR"}
                answer = self._client.bid(self._bidders[number % 2], self.auction_id, body)
                assert answer.status_code == (409 if number % 5 == 0 else 201), answer.text
                self._stopped.wait(PAUSE_SECONDS)
        except BaseException as failure:
            self._failure = failure
