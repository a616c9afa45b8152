"""The bid log's invariants B1 to B7 and B9, checked over the raw entries and over the answers that bidders got.

`answers` is a file of JSON lines that `manage.py load` writes, one a bid: {"auction_id", "actor", "key", "at_sent",
"at_answered", "body", "status", "answer"}. B1: a bid that was answered 2xx is in the log. B4: every answer that names a
seq, also a refusal, is decided again at that seq. The file is read before the log, so that on a live system the log
holds every bid of the file. The log is long and read once; other checkers see its entries by `follow`.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from auction_project.kernel import errors, findings, money
from bidding import presentation, rules, runtime
from bidding.rest import bid_endpoint
from bidding.rules import commands, kinds, log
from bidding.store import bid_log, mongo
from bidding.verification import judging

INVARIANTS = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B9")
READ_ENTRIES = 500
ALL_IDS_SECONDS = 60.0
CLOCK_TOLERANCE_MS = 100
_OF_A_PROBLEM = {"type", "title", "status", "detail", "code", "field", "seq", "hash", "confirmation"}


# (auction, its mark, its entries) -> the same entries, which pass through.
Follow = Callable[[str, int, Iterator[log.Entry]], Iterator[log.Entry]]


class Answered(msgspec.Struct, frozen=True):
    """One bid and its answer; instants are milliseconds since 1970 UTC. `body` and `answer` are decoded when they are
    needed."""

    auction_id: str
    actor: str
    key: str
    at_sent: int
    at_answered: int
    body: msgspec.Raw
    status: int
    answer: msgspec.Raw


class _Position(msgspec.Struct, frozen=True):
    """What every answer that the rules decided names."""

    seq: int | None = None
    hash: str = ""
    code: str = ""


def unfollowed(_auction_id: str, _mark: int, entries: Iterator[log.Entry]) -> Iterator[log.Entry]:
    """No other checker sees the entries."""
    return entries


def check(answers: Path | None = None, follow: Follow = unfollowed) -> list[findings.Finding]:
    """All invariants of the bid log. Each log passes through `follow` to its end. Raises errors.Unavailable."""
    verdicts = judging.Verdicts()
    answered = _read_answers(answers) if answers is not None else {}
    log_store = runtime.current().store
    in_all = runtime.call(log_store.bids.estimate_count())
    read = 0
    for auction_id in sorted({*_all_ids(log_store), *answered}):
        read += _check_auction(auction_id, answered.get(auction_id, []), verdicts, follow)
    if read < in_all:  # an estimate is no proof
        in_all, read = _count_again(log_store)
    verdicts.look("B3", read >= in_all, f"{in_all - read} entries are behind a gap, or of no auction")
    return [verdicts.finding(invariant) for invariant in INVARIANTS]


def _count_again(log_store: mongo.MongoStore) -> tuple[int, int]:
    """The exact number of entries, and how many of them the logs lead to."""
    in_all = runtime.call(log_store.bids.count(), seconds=bid_log.COUNT_SECONDS)
    unjudged = judging.Verdicts()
    read = sum(_check_auction(auction_id, [], unjudged, unfollowed) for auction_id in _all_ids(log_store))
    return in_all, read


def _all_ids(log_store: mongo.MongoStore) -> list[str]:
    return runtime.call(log_store.auctions.all_ids(), seconds=ALL_IDS_SECONDS)


def _read_answers(path: Path) -> dict[str, list[Answered]]:
    """The answers by auction, without a last line that was cut off because its writer died."""
    decode = msgspec.json.Decoder(Answered).decode
    answers: defaultdict[str, list[Answered]] = defaultdict(list)
    lines = path.read_bytes().split(b"\n")
    for line in lines[:-1]:
        one = decode(line)
        answers[one.auction_id].append(one)
    return answers


def _check_auction(
    auction_id: str, answers: list[Answered], verdicts: judging.Verdicts, follow: Follow
) -> int:
    """Read and judge one log; the number of entries."""
    judge = judging.Judge(auction_id, verdicts)
    witness = _Witness(answers, verdicts)
    snapshot, mark = _snapshot(auction_id)
    witness.at_state(judge.state)
    entries = follow(auction_id, mark, _entries(auction_id))
    for entry in entries:
        before = judge.state
        judge.see(entry)
        if judge.broken:
            deque(entries, maxlen=0)  # the other checkers see the rest
            return entry.seq
        witness.at_entry(before, entry)
        witness.at_state(judge.state)
        if snapshot is not None and entry.seq == mark:
            judge.check_snapshot(snapshot, f"{auction_id}:{mark}")
    judge.end()
    witness.end()
    verdicts.look("B6", mark <= judge.state.seq, f"{auction_id}: its mark {mark} is beyond its log")
    return judge.state.seq


def _snapshot(auction_id: str) -> tuple[rules.Snapshot | None, int]:
    """The snapshot and its mark. They are read before the log, so that the log reaches at least as far."""
    try:
        document, snapshot = runtime.call(runtime.current().store.auctions.get_with_snapshot(auction_id))
    except errors.NotFound:
        return None, 0
    return snapshot, document.mark


def _entries(auction_id: str) -> Iterator[log.Entry]:
    seq = 0
    while chunk := runtime.call(runtime.current().store.bids.read_from(auction_id, seq, READ_ENTRIES)):
        yield from chunk
        seq = chunk[-1].seq


class _Witness:
    """The answers to the bidders of one auction, compared with its log while that is read: B1, B2 and B4."""

    def __init__(self, answers: list[Answered], verdicts: judging.Verdicts) -> None:
        self._verdicts = verdicts
        self._accepted: defaultdict[int, list[Answered]] = defaultdict(list)
        self._refused: defaultdict[int, list[Answered]] = defaultdict(list)
        for one in answers:
            position = msgspec.json.decode(one.answer, type=_Position)
            if 200 <= one.status < 300:
                self._accepted[position.seq or 0].append(one)
            elif position.seq is not None:
                self._refused[position.seq].append(one)

    def at_entry(self, before: rules.State, entry: log.Entry) -> None:
        """Check the answers that name this entry as the bid."""
        for one in self._accepted.pop(entry.seq, ()):
            look, where = self._verdicts.look, f"{entry.auction_id}:{entry.seq}"
            answer: dict[str, Any] = msgspec.json.decode(one.answer)
            is_same = (answer["hash"], one.actor, one.key) == (entry.hash, entry.actor, entry.key)
            look(
                "B1",
                is_same,
                f"{where}: {one.actor} got {answer['hash']} for {one.key}, the log holds another entry",
            )
            repeated = msgspec.json.decode(msgspec.json.encode(presentation.answer(entry)))
            look(
                "B2",
                _unsigned(answer) == _unsigned(repeated),
                f"{where}: the answer to {one.key} was {answer}, a repeat gets {repeated}",
            )
            left = (
                entry.facts.quantity_left + bid_endpoint.decode_body(bytes(one.body)).quantity
                if isinstance(entry.facts, kinds.Bid)
                else None
            )
            again = self._decide(before, one, at=entry.at, salt=entry.hidden.salt, left=left)
            ok = isinstance(again, log.Entry) and again.hash == entry.hash
            look("B4", ok, f"{where}: decided again at {before.seq} the bid becomes {again}")

    def at_state(self, state: rules.State) -> None:
        """Check the refusals that name this state."""
        for one in self._refused.pop(state.seq, ()):
            answer: dict[str, Any] = msgspec.json.decode(one.answer)
            where = f"{state.auction_id}:{state.seq}"
            same_hash = answer["hash"] == state.hash
            self._verdicts.look("B4", same_hash, f"{where}: the refusal of {one.key} names another hash")
            times = {
                one.at_sent - CLOCK_TOLERANCE_MS,
                one.at_sent,
                one.at_answered,
                one.at_answered + CLOCK_TOLERANCE_MS,
            }
            left, code = answer.get("quantity_left"), answer["code"]
            again = [self._decide(state, one, at=at, salt="", left=left, code=code) for at in sorted(times)]
            same = any(isinstance(each, rules.Refusal) and _is_answer_of(each, answer) for each in again)
            self._verdicts.look(
                "B4", same, f"{where}: {one.key} was refused by {code}, decided again it is {again[0]}"
            )

    def end(self) -> None:
        """The log is complete: no answer may name a seq that it does not have."""
        for one in (one for group in self._accepted.values() for one in group):
            self._verdicts.look(
                "B1", False, f"{one.auction_id}: {one.key} of {one.actor} was accepted and is not in the log"
            )
        for one in (one for group in self._refused.values() for one in group):
            self._verdicts.look(
                "B4", False, f"{one.auction_id}: {one.key} was refused at a seq that is not in the log"
            )

    def _decide(
        self, state: rules.State, one: Answered, *, at: int, salt: str, left: int | None, code: str = ""
    ) -> log.Entry | rules.Refusal:
        """What the rules say at `state`. The log does not hold what other apps had reported then (card, role, stock)
        nor what the bidder confirmed: the answer implies it, by its `code` and the units `left`."""
        body = bid_endpoint.decode_body(bytes(one.body))
        amount = None if body.amount is None else money.parse(body.amount, body.currency)
        command = commands.PlaceBid(
            auction_id=one.auction_id,
            actor=one.actor,
            key=one.key,
            at=at,
            salt=salt,
            amount=amount,
            currency=body.currency,
            quantity=body.quantity,
            has_card=code != "card_missing",
            is_operator=code == "house_lot",
            stock=None if left is None else commands.Stock(left, frozenset(state.open_sales)),
        )
        outcome = rules.decide(state, command)
        if isinstance(outcome, rules.Refusal) and outcome.rule == "confirmation_required" != code:
            outcome = rules.decide(
                state, msgspec.structs.replace(command, confirmed=outcome.figures["because"])
            )
        return outcome


def _unsigned(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without its signature, which may differ each time."""
    receipt = {name: value for name, value in answer.get("receipt", {}).items() if name in ("seq", "hash")}
    return {**answer, "receipt": receipt}


def _is_answer_of(refusal: rules.Refusal, answer: dict[str, Any]) -> bool:
    """Whether the answer is that refusal: the rule and its figures."""
    figures = msgspec.json.decode(msgspec.json.encode(presentation.refusal_figures(refusal)))
    return bool(
        answer["code"] == refusal.rule
        and {name: value for name, value in answer.items() if name not in _OF_A_PROBLEM} == figures
    )
