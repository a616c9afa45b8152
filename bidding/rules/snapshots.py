"""Snapshots: the state of an auction as JSON text, in pieces of bounded size, of which only the changed ones are dumped again.

A bidder's number never changes, so PIECE_BIDDERS bidders that follow one another are a piece for ever: their bids, their
sales under way, and who of them has paid or was passed over. The head holds the rest of the state and the bidders who do
not fill a piece yet. A dump costs the head and the changed pieces, so a bid costs at most one piece however many bidders
there are. A snapshot without pieces whose head holds all bidders can be loaded, too.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from rpds import HashTrieMap, HashTrieSet

from bidding.rules.log import Entry
from bidding.rules.state import Bidder, OpenSale, State

PIECE_BIDDERS = 128  # stored snapshots are cut by it: it never changes


class Snapshot(msgspec.Struct, frozen=True):
    """A state. `head` and each of `pieces`, in the order of their numbers (0, 1 …), are JSON text."""

    head: str
    pieces: tuple[str, ...] = ()


class Dump(msgspec.Struct, frozen=True):
    """What is to be stored: the head, and by number the changed pieces. `saved_at`: what is stored then, see Dumper."""

    head: str
    pieces: dict[int, str]
    saved_at: tuple[int, ...]


class _Piece(msgspec.Struct, frozen=True):
    """What belongs to some of the bidders."""

    bidders: dict[str, Bidder]
    open_sales: dict[str, OpenSale]
    passed_over: list[str]
    buyers: list[str] = []


class _Head(msgspec.Struct, frozen=True):
    """A state without its maps, and the bidders who are in no piece."""

    state: State
    bidders: dict[str, Bidder]
    open_sales: dict[str, OpenSale]
    passed_over: list[str]
    buyers: list[str] = []


class Dumper:
    """Dumps the states of one auction. `saved_at` is what the caller says is stored: by piece, the seq of that state."""

    __slots__ = ("_changed_at", "_users", "saved_at")

    def __init__(self, state: State, saved_at: Sequence[int] = ()) -> None:
        self._users = sorted(state.bidders, key=lambda user_id: _number(state, user_id))
        self.saved_at = tuple(saved_at)
        self._changed_at: dict[int, int] = {}

    def note(self, before: State, entries: Iterable[Entry], after: State) -> None:
        """These entries lead from one state to the other."""
        for entry in entries:
            sale = before.open_sales.get(getattr(entry.facts, "sale_id", ""))
            for user_id in (entry.hidden.actor, entry.hidden.buyer, sale.user_id if sale else None):
                if user_id is not None and user_id in after.bidders:
                    self._note_user(after, user_id)

    def _note_user(self, after: State, user_id: str) -> None:
        number = _number(after, user_id)
        if number == len(self._users):
            self._users.append(user_id)
        self._changed_at[number // PIECE_BIDDERS] = after.seq

    def dump(self, state: State) -> Dump:
        """What has changed since `saved_at`."""
        full = len(self._users) // PIECE_BIDDERS
        stored = len(self.saved_at)
        changed = [n for n in range(full) if n >= stored or self._changed_at.get(n, 0) > self.saved_at[n]]
        *pieces, rest = self._cut(state, [*changed, full])
        bare = msgspec.structs.replace(
            state,
            bidders=HashTrieMap(),
            open_sales=HashTrieMap(),
            passed_over=HashTrieSet(),
            buyers=HashTrieSet(),
        )
        head = _Head(bare, rest.bidders, rest.open_sales, rest.passed_over, rest.buyers)
        saved_at = [*self.saved_at, *[state.seq] * (full - stored)]
        texts = {}
        for number, piece in zip(changed, pieces, strict=True):
            saved_at[number] = state.seq
            texts[number] = _encoder.encode(piece).decode()
        return Dump(_encoder.encode(head).decode(), texts, tuple(saved_at))

    def _cut(self, state: State, numbers: list[int]) -> list[_Piece]:
        open_sales: dict[int, dict[str, OpenSale]] = {number: {} for number in numbers}
        for sale_id, sale in state.open_sales.items():
            of_piece = open_sales.get(_number(state, sale.user_id) // PIECE_BIDDERS)
            if of_piece is not None:
                of_piece[sale_id] = sale
        pieces = []
        for number in numbers:
            users = self._users[number * PIECE_BIDDERS : (number + 1) * PIECE_BIDDERS]
            pieces.append(
                _Piece(
                    {user_id: state.bidders[user_id] for user_id in users},
                    open_sales[number],
                    [user_id for user_id in users if user_id in state.passed_over]
                    if state.passed_over
                    else [],
                    [user_id for user_id in users if user_id in state.buyers] if state.buyers else [],
                )
            )
        return pieces


def dump(state: State) -> Snapshot:
    """The whole state."""
    whole = Dumper(state).dump(state)
    return Snapshot(whole.head, tuple(whole.pieces.values()))


def load(snapshot: Snapshot) -> State:
    """The inverse of `dump`. Raises msgspec.ValidationError."""
    head = _head_decoder.decode(snapshot.head)
    bidders, open_sales = dict(head.bidders), dict(head.open_sales)
    passed_over, buyers = list(head.passed_over), list(head.buyers)
    for text in snapshot.pieces:
        piece = _piece_decoder.decode(text)
        bidders |= piece.bidders
        open_sales |= piece.open_sales
        passed_over += piece.passed_over
        buyers += piece.buyers
    return msgspec.structs.replace(
        head.state,
        bidders=HashTrieMap(bidders),
        open_sales=HashTrieMap(open_sales),
        selling=sum(sale.quantity for sale in open_sales.values()),  # older snapshots lack it
        passed_over=HashTrieSet(passed_over),
        buyers=HashTrieSet(buyers),
    )


def _number(state: State, user_id: str) -> int:
    """The number of a bidder, from 0 on in the order of their first bids."""
    return state.bidders[user_id].number - 1


def _encode_empty(_value: Any) -> None:
    return None


def _decode_empty(kind: Any, _value: Any) -> Any:
    return kind()


_encoder = msgspec.json.Encoder(enc_hook=_encode_empty)
_head_decoder = msgspec.json.Decoder(_Head, dec_hook=_decode_empty)
_piece_decoder = msgspec.json.Decoder(_Piece)
