"""`POST /api/v1/auctions/{id}/bids` as a bare ASGI application, in front of Django: token, body, committer, answer.

Django's request cycle would cost more than deciding the bid. The errors are the same problem+json as everywhere.
Nothing here touches a database: a bid only awaits its future.
"""

import asyncio
import os
import re
import time
from typing import Any

import msgspec

from auction_project.kernel import correlation, errors, ids, instants, money, tokens, tracing
from auction_project.kernel.http import answers, budgets, idempotency, problems
from bidding import presentation, rules, runtime, traces
from bidding.rest import confirmations
from bidding.rules import commands, refusals
from bidding.writer import committer, failures

SALT_BYTES, CORRELATION_BYTES = 16, 8
PREFIX, SUFFIX = "/api/v1/auctions/", "/bids"
_FIELD = re.compile(r"`\$\.?([^`]*)`|unknown field `([^`]*)`")


class BidBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a bid. `amount` is a decimal string of `currency`; `confirmation` is the token of a
    `confirmation_required`."""

    amount: str | None = None
    currency: str | None = None
    quantity: int = 1
    confirmation: str | None = None


class BodyInvalid(errors.Invalid):
    """The body is not a bid: send {"amount": "125.50", "currency": "EUR"}, or {"quantity": 1} on a buy_now listing."""


class MayNotBid(errors.Forbidden):
    """Only bidders with a verified e-mail address may bid."""


_decode = msgspec.json.Decoder(BidBody).decode
_encode = msgspec.json.Encoder().encode


async def application(scope: Any, receive: Any, send: Any) -> None:
    """The ASGI application. The body comes in one message: `web.bounds` has read it."""
    message = await receive()
    status, headers, body = await place(scope["path"], dict(scope["headers"]), message.get("body", b""))
    headers = (*headers, (b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def place(path: str, headers: dict[bytes, bytes], body: bytes) -> answers.Answer:
    """Place the bid that the request holds: status, headers and body of the answer. Runs on the runtime's loop."""
    arrived_at, since = instants.now(), time.monotonic()
    command: commands.PlaceBid | None = None
    entry: rules.Entry | None = None
    try:
        command = _command(path, headers, body, arrived_at)
        if not command.has_card:
            command = await _with_reports(command)
        outcome = await runtime.current().committer.submit(command, since=since)
        if isinstance(outcome, rules.Refusal):
            raise _refused(command, outcome)
        assert isinstance(outcome, rules.Entry)  # noqa: S101 - a command is answered with its entry
        entry = outcome
        answer = 201, answers.JSON, _encode(presentation.answer(entry))
    except errors.DomainError as error:
        answer = answers.problem(error)
    if tracing.is_on and command is not None:
        caller = headers.get(b"traceparent", b"").decode("latin-1")
        traces.record_bid(command, entry, answer, caller=caller, since=since)
    return answer


def _command(path: str, headers: dict[bytes, bytes], body: bytes, arrived_at: int) -> commands.PlaceBid:
    """The command that the request holds. `arrived_at`: milliseconds since 1970 UTC. Raises errors.DomainError."""
    claims = tokens.from_header(headers.get(b"authorization", b"").decode("latin-1"))
    if not claims.email_verified or not claims.has("bidder"):
        raise MayNotBid
    auction_id = path[len(PREFIX) : -len(SUFFIX)]
    if not ids.is_id(auction_id):
        raise refusals.AuctionNotFound
    if headers.get(b"content-type", b"").partition(b";")[0].strip().lower() != b"application/json":
        raise problems.WrongContentType(field="Content-Type")
    key = headers.get(b"idempotency-key", b"").decode("latin-1")
    if not key:
        raise idempotency.KeyMissing(field=idempotency.HEADER)
    idempotency.check(key)
    budgets.BIDS.spend((claims.sub, auction_id))
    bid = decode_body(body)
    amount = None
    if bid.amount is not None or bid.currency is not None:
        amount = money.parse(bid.amount, bid.currency)
    fresh = os.urandom(SALT_BYTES + CORRELATION_BYTES).hex()
    command = commands.PlaceBid(
        auction_id=auction_id,
        actor=claims.sub,
        key=key,
        at=arrived_at,
        salt=fresh[: 2 * SALT_BYTES],
        correlation_id=_correlation_id(headers) or fresh[2 * SALT_BYTES :],
        amount=amount,
        currency=bid.currency,
        quantity=bid.quantity,
        has_card=_needs_no_read(auction_id, claims.sub),
        is_operator=claims.has("operator"),
    )
    if bid.confirmation is None:
        return command
    return msgspec.structs.replace(command, confirmed=confirmations.confirmed(command, bid.confirmation))


def _needs_no_read(auction_id: str, user_id: str) -> bool:
    """Whether the bid needs no report that is not in memory, as most do not, and so pays for no timer."""
    running = runtime.current()
    state = running.committer.peek(auction_id)
    if state is None or state.terms is None or _needs_stock(state):
        return False
    return not state.terms.card_required or running.cards.is_known_usable(user_id)


async def _with_reports(command: commands.PlaceBid) -> commands.PlaceBid:
    """The bid with what other apps have reported: whether the bidder has a usable card, and the stock if it is set
    aside at the sale. The reads together take no longer than an answer may.

    Raises errors.NotFound, errors.Unavailable.
    """
    try:
        async with asyncio.timeout(committer.ANSWER_SECONDS):
            return await _read_reports(command)
    except TimeoutError:
        raise failures.StoreUnavailable from None


async def _read_reports(command: commands.PlaceBid) -> commands.PlaceBid:
    running = runtime.current()
    state = running.committer.peek(command.auction_id) or await running.committer.look(command.auction_id)
    assert isinstance(state, rules.State)  # noqa: S101 - looks answer with states
    terms, has_card, stock = state.terms, False, None
    if terms is not None:
        has_card = not terms.card_required or await running.cards.has_usable(command.actor)
        if _needs_stock(state):
            stock = await running.stock.of(terms.product_id)
    return msgspec.structs.replace(command, has_card=has_card, stock=stock)


def _needs_stock(state: rules.State) -> bool:
    return rules.formats.of(state).sells_by_bid and state.known_terms.allocate == "on_sale"


def decode_body(body: bytes) -> BidBody:
    """The body of a bid. Raises BodyInvalid, which names the field."""
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        match = _FIELD.search(str(error))
        field = (match[1] or match[2]) if match else None
        raise BodyInvalid(f"{BodyInvalid.__doc__} ({error})", field=field or "body") from error


def _correlation_id(headers: dict[bytes, bytes]) -> str:
    sent, traceparent = headers.get(b"x-correlation-id", b""), headers.get(b"traceparent", b"")
    if not (sent or traceparent):
        return ""
    return correlation.accept(sent.decode("latin-1"), traceparent.decode("latin-1"))


def _refused(command: commands.PlaceBid, refusal: rules.Refusal) -> errors.DomainError:
    figures = presentation.refusal_figures(refusal)
    if refusal.rule == "confirmation_required":
        figures["confirmation"] = confirmations.issue(command, figures["because"])
    return msgspec.structs.replace(refusal, figures=figures).error()
