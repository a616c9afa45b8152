"""A crowd that bids over many connections at a given rate, and keeps every answer.

Amounts rise from bid to bid by more than an increment, so that most are accepted; the rules refuse the rest.
A bid without an answer is sent again under the same key, as a careful client would.
"""

import asyncio
import itertools
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

import msgspec

from auction_project.kernel import money, tokens
from auction_project.tools.load import answers as records
from auction_project.tools.load import http

RISE = 210_00
RETRIES = 20
RETRY_SECONDS = 0.25
TOKEN_SECONDS = 3600.0
_OLD_ACCOUNT_SECONDS = 10_000_000


class Target(msgspec.Struct, frozen=True):
    """One auction to bid on; amounts start at `start` (minor units)."""

    auction_id: str
    currency: str
    start: int


class Bidder(msgspec.Struct, frozen=True):
    user_id: str
    authorization: str


class Tally(msgspec.Struct):
    """The answers: `outcomes` by status or code; `latencies` of answered bids in seconds."""

    outcomes: Counter[str]
    latencies: list[float]
    accepted: int = 0


def make_bidders(count: int, *, now: float) -> list[Bidder]:
    """Bidders whose tokens are signed here, because the machine holds the key. They have no cards, and their auctions
    need none."""
    user_ids = [uuid.uuid4().hex for _ in range(count)]
    return [Bidder(user_id, authorization(user_id, now=now)) for user_id in user_ids]


def authorization(user_id: str, *, now: float) -> str:
    """The header line of a bidder whose account is old, with a token for TOKEN_SECONDS."""
    created_at = int(now) - _OLD_ACCOUNT_SECONDS
    token = tokens.sign(sub=user_id, roles=["bidder"], created_at=created_at, now=now, seconds=TOKEN_SECONDS)
    return f"Authorization: Bearer {token}\r\n"


class Crowd:
    """`run()` places bids for `seconds`, at most `rate` a second (None: as fast as the connections allow)."""

    def __init__(
        self,
        url: str,
        targets: Sequence[Target],
        bidders: Sequence[Bidder],
        *,
        connections: int,
        answers: BinaryIO | None = None,
    ) -> None:
        self._host, self._port = http.loopback_address(url)
        self._targets = itertools.cycle(targets)
        self._amounts = {target.auction_id: target.start for target in targets}  # of the next bid
        self._bidders = itertools.cycle(bidders)
        self._connections = connections
        self._answers = answers
        self.tally = Tally(Counter(), [])

    async def run(
        self,
        *,
        seconds: float,
        rate: float | None = None,
        most: int | None = None,
        progress: Callable[[int], Any] | None = None,
    ) -> Tally:
        """Stop after `seconds`, or after `most` bids. Each answer calls `progress` with 1."""
        end = time.monotonic() + seconds
        begun = time.monotonic()
        numbers = itertools.count()

        async def connection() -> None:
            link = await http.connect(self._host, self._port)
            for number in numbers:
                if most is not None and number >= most:
                    break
                if rate is not None:
                    await asyncio.sleep(max(0.0, begun + number / rate - time.monotonic()))
                if time.monotonic() >= end:
                    break
                link = await self._bid(link)
                if progress is not None:
                    progress(1)
            link.close()

        await asyncio.gather(*(connection() for _ in range(self._connections)))
        return self.tally

    async def _bid(self, link: http.Connection) -> http.Connection:
        target, bidder = next(self._targets), next(self._bidders)
        amount = self._amounts[target.auction_id]
        self._amounts[target.auction_id] += RISE
        key = uuid.uuid4().hex
        body = {"amount": money.format(amount, target.currency), "currency": target.currency}
        request = self._request(target, bidder, key, body)
        sent = time.time()
        status, answer = 0, b""
        for _ in range(RETRIES):
            try:
                if not link.is_open:
                    link = await http.connect(self._host, self._port)
                status, answer = await link.send(request)
            except OSError:
                self.tally.outcomes["no answer"] += 1
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if status == 409 and (token := _confirmation(answer)):
                body["confirmation"] = token
                request = self._request(target, bidder, key, body)
                continue
            if status != 503:
                break
            self.tally.outcomes["503"] += 1
            await asyncio.sleep(RETRY_SECONDS)
        self._note(target, bidder, key, body, sent, status, answer)
        return link

    def _request(self, target: Target, bidder: Bidder, key: str, body: dict[str, str]) -> bytes:
        return http.post(
            f"/api/v1/auctions/{target.auction_id}/bids",
            self._host,
            f"{bidder.authorization}Idempotency-Key: {key}\r\n",
            msgspec.json.encode(body),
        )

    def _note(
        self,
        target: Target,
        bidder: Bidder,
        key: str,
        body: dict[str, str],
        sent: float,
        status: int,
        answer: bytes,
    ) -> None:
        answered = time.time()
        self.tally.latencies.append(answered - sent)
        decoded: dict[str, Any] = msgspec.json.decode(answer) if answer else {}
        if minimum := decoded.get("minimum"):  # other bids came first
            least = money.parse(minimum, target.currency)
            self._amounts[target.auction_id] = max(self._amounts[target.auction_id], least)
        self.tally.accepted += status == 201
        self.tally.outcomes["accepted" if status == 201 else str(decoded.get("code", status))] += 1
        if self._answers is not None:
            self._answers.write(
                records.line(
                    auction_id=target.auction_id,
                    actor=bidder.user_id,
                    key=key,
                    body=body,
                    sent=sent,
                    answered=answered,
                    status=status,
                    answer=decoded,
                )
            )


def _confirmation(answer: bytes) -> str | None:
    """The token of a `confirmation_required`, the answer to the first bids of a run."""
    token = msgspec.json.decode(answer).get("confirmation")
    return token if isinstance(token, str) else None
