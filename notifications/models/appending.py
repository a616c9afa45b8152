"""Adds a run of notifications to feeds: reads what they depend on, decides in memory, and writes each table once.

What is decided is what the notifications would decide one after the other. The feeds stay locked until the commit, so that
what was read stays true until then.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from django.db import transaction

from auction_project.kernel import tracing
from notifications import kinds
from notifications.models import emails, feeds

_OVERTAKEN = "overtaken by a later notice"
# By which figure the notices about a subject are found: those about a request are among those about its sale.
_FOUND_BY: Mapping[kinds.Subject, kinds.Subject] = {
    "auction_id": "auction_id",
    "sale_id": "sale_id",
    "checkout_id": "checkout_id",
    "request_id": "sale_id",
}
_FIGURES = tuple(dict.fromkeys(_FOUND_BY.values()))


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A notification to add. `user_id` None: one for each account that is an operator now.

    `data` holds the figures, money in minor units; `at` is in milliseconds since the epoch. `correlation_id` goes into the
    log lines of its e-mail. `span_id`: of what caused it, or empty where the trace is not kept.
    """

    user_id: str | None
    kind: kinds.Kind
    source: str
    data: dict[str, Any]
    at: int
    correlation_id: str
    span_id: str = ""

    def is_about(self, subject: str, notification: feeds.Notification) -> bool:
        """Whether the two share this figure. What ends several requests has the figure in the plural, and shares each."""
        figure = notification.data.get(subject)
        return bool(figure) and figure in (self.data.get(subject), *self.data.get(f"{subject}s", ()))


class Appended(msgspec.Struct, frozen=True):
    """What a run added: its notifications with their requests, and by the key of each e-mail that is to be sent its correlation
    id."""

    notifications: list[tuple[Request, feeds.Notification]]
    emails: dict[int, str]


def append(addressed: Sequence[tuple[str, Request]], *, due_at: datetime, now: datetime) -> Appended:
    """Add to the feed of each user, in order, except what the feed has of the same kind and source. Runs in a transaction.

    A notification withdraws those that it overtakes, and the e-mails about them are dropped. Its own e-mail is due at
    `due_at`. At most nine statements for a run of any size. Raises ValueError for a kind that is no row of the
    table, because it could not be read again.
    """
    for _, request in addressed:
        if kinds.TABLE.get(request.kind.name) != request.kind:
            raise ValueError(f"{request.kind.name} is no row of notifications.kinds.TABLE")
    run = _Run(addressed, due_at=due_at, now=now)
    for user_id, request in addressed:
        run.add(user_id, request)
    run.write()
    return Appended(run.added, run.correlation_ids())


class _Lot(msgspec.Struct):
    """What one user has of one lot: the seqs of the last bid, and of the last notice of each kind that has an e-mail."""

    last_bid: int = 0
    last_mailed: dict[str, int] = {}


class _Run:
    """The state of the feeds in memory, as far as the run depends on it, and what is to be written."""

    def __init__(self, addressed: Sequence[tuple[str, Request]], *, due_at: datetime, now: datetime) -> None:
        self._due_at, self._now = due_at, now
        self._feeds = feeds.Feed.lock([user_id for user_id, _ in addressed], now=now)
        self._known = _known(addressed)
        self._standing = _standing(addressed)
        self._lots = _lots(addressed)
        self._withdrawn: list[int] = []  # of those that were there before
        self.added: list[tuple[Request, feeds.Notification]] = []
        self.emails: dict[tuple[str, int], emails.Email] = {}  # by the place of its notification

    def add(self, user_id: str, request: Request) -> None:
        source = (user_id, request.source, request.kind.name)
        if source in self._known:
            return
        self._known.add(source)
        notification = self._feeds[user_id].append(
            kind=request.kind, source=request.source, data=request.data, at=request.at, now=self._now
        )
        if request.span_id:
            span_id = tracing.span_id("notice", user_id, notification.seq)
            notification.traceparent = str(tracing.Context(tracing.trace_id(request.correlation_id), span_id))
        self.added.append((request, notification))
        self._withdraw(request, notification)
        if self._is_mailed(request, notification):
            self.emails[_place(notification)] = emails.Email(
                notification=notification, due_at=self._due_at, created_at=self._now
            )
        self._note_lot(notification)

    def write(self) -> None:
        """Each table in one statement; the e-mails come after the notifications, which they refer to."""
        if not self.added:
            return
        feeds.Notification.objects.bulk_create([new for _, new in self.added])
        feeds.Feed.save_last_seqs(
            [self._feeds[user_id] for user_id in sorted({new.user_id for _, new in self.added})]
        )
        if self._withdrawn:
            feeds.Notification.objects.filter(pk__in=self._withdrawn).update(withdrawn_at=self._now)
            emails.Email.drop(self._withdrawn, reason=_OVERTAKEN)
        emails.Email.objects.bulk_create(self.emails.values())

    def correlation_ids(self) -> dict[int, str]:
        """The correlation id of each e-mail that is to be sent, by its key."""
        mailed = {_place(notification): request.correlation_id for request, notification in self.added}
        return {
            email.pk: mailed[place]
            for place, email in self.emails.items()
            if email.state == emails.EmailState.PENDING
        }

    def _withdraw(self, request: Request, new: feeds.Notification) -> None:
        """Withdraw the notices that the new one overtakes.

        The end of a sale may arrive before its beginning (WON), and that of a checkout before a failed payment of it: then the new
        one is withdrawn itself.
        """
        standing = self._standing.setdefault(new.user_id, [])
        ends = {kind.name: kind.subject for kind in kinds.ends_of(request.kind.name)}
        if any(old.kind in ends and request.is_about(ends[old.kind], old) for old in standing):
            new.withdrawn_at = self._now
        for old in standing:
            if old.kind in request.kind.replaces and request.is_about(request.kind.subject, old):
                self._withdraw_one(old)
        self._standing[new.user_id] = [one for one in (*standing, new) if one.withdrawn_at is None]

    def _withdraw_one(self, old: feeds.Notification) -> None:
        old.withdrawn_at = self._now
        if old.pk is not None:
            self._withdrawn.append(old.pk)
        elif _place(old) in self.emails:
            email = self.emails[_place(old)]
            email.state, email.reason = emails.EmailState.DROPPED, _OVERTAKEN

    def _is_mailed(self, request: Request, notification: feeds.Notification) -> bool:
        """Whether an e-mail goes for the notification; see kinds.Mailed."""
        mailed = request.kind.mailed
        is_answer = request.data.get("own_bid") or request.data.get("bought")
        if mailed is kinds.Mailed.NEVER or notification.withdrawn_at is not None or is_answer:
            return False
        lot = self._lots.get(_lot_of(notification))
        if mailed is kinds.Mailed.ALWAYS or lot is None:
            return True
        seen = max(self._feeds[notification.user_id].read_seq, lot.last_bid)
        return lot.last_mailed.get(notification.kind, 0) <= seen

    def _note_lot(self, notification: feeds.Notification) -> None:
        lot = self._lots.get(_lot_of(notification))
        if lot is None:
            return
        if kinds.of(notification.kind).answers_own_bid or notification.data.get("own_bid") is True:
            lot.last_bid = notification.seq
        if _place(notification) in self.emails:
            lot.last_mailed[notification.kind] = notification.seq


def _known(addressed: Sequence[tuple[str, Request]]) -> set[tuple[str, str, str]]:
    """Those of the notifications that are there already, by user, source and kind."""
    rows = _rows(
        "SELECT user_id, source, kind FROM unnest(%s::text[], %s::text[], %s::text[]) AS row (user_id, source, kind)"
        " JOIN notifications_notification USING (user_id, source, kind)",
        {(user_id, request.source, request.kind.name) for user_id, request in addressed},
    )
    return {(user_id, source, kind) for user_id, source, kind in rows}


# An index serves each: see Notification.
_STANDING = " UNION ALL ".join(
    f"""
    SELECT n.* FROM unnest(%s::text[], %s::text[], %s::text[]) AS needed (user_id, kind, figure)
    JOIN notifications_notification n USING (user_id, kind)
    WHERE n.withdrawn_at IS NULL AND n.data ? '{subject}' AND n.data ->> '{subject}' = needed.figure
    """  # noqa: S608 - constants only
    for subject in _FIGURES
)


def _standing(addressed: Sequence[tuple[str, Request]]) -> dict[str, list[feeds.Notification]]:
    """The notices, by user, that one of the run may overtake, or that may have ended a sale of the run."""
    needed: dict[str, set[tuple[str, str, str]]] = {figure: set() for figure in _FIGURES}
    for user_id, request in addressed:
        for kind, subject in _related(request.kind):
            if request.data.get(subject):
                needed[subject].add((user_id, kind, request.data[subject]))
    if not any(needed.values()):
        return {}
    columns = [[row[column] for row in rows] for rows in map(list, needed.values()) for column in range(3)]
    rows = feeds.Notification.objects.raw(_STANDING, columns)
    standing: dict[str, list[feeds.Notification]] = {}
    for row in {row.pk: row for row in rows}.values():
        standing.setdefault(row.user_id, []).append(row)
    return standing


def _related(kind: kinds.Kind) -> Iterator[tuple[str, str]]:
    """The kinds that matter to one of this kind, each with the figure by which its notices are found."""
    yield from ((name, _FOUND_BY[kind.subject]) for name in kind.replaces)
    yield from ((end.name, _FOUND_BY[end.subject]) for end in kinds.ends_of(kind.name))


def _lots(addressed: Sequence[tuple[str, Request]]) -> dict[tuple[str, str], _Lot]:
    """What the users have of the lots about which one e-mail goes until they are back, by user and lot."""
    lots = {
        (user_id, request.data["auction_id"]): _Lot()
        for user_id, request in addressed
        if request.kind.mailed is kinds.Mailed.ONCE_A_LOT and request.data.get("auction_id") is not None
    }
    rows = _rows(
        "SELECT needed.user_id, needed.auction_id, n.kind, max(n.seq),"
        " coalesce(max(n.seq) FILTER (WHERE n.data -> 'own_bid' = 'true'), 0),"
        " coalesce(max(n.seq) FILTER (WHERE e.notification_id IS NOT NULL), 0)"
        " FROM unnest(%s::text[], %s::text[]) AS needed (user_id, auction_id)"
        " JOIN notifications_notification n"
        " ON n.user_id = needed.user_id AND n.data ->> 'auction_id' = needed.auction_id"
        " LEFT JOIN notifications_email e ON e.notification_id = n.id GROUP BY 1, 2, 3",
        lots.keys(),
    )
    for user_id, auction_id, kind, last, last_own_bid, last_mailed in rows:
        lot = lots[user_id, auction_id]
        answers_own_bid = kind in kinds.TABLE and kinds.of(kind).answers_own_bid
        lot.last_bid = max(lot.last_bid, last if answers_own_bid else last_own_bid)
        lot.last_mailed[kind] = last_mailed
    return lots


def _rows(statement: str, columns: Collection[tuple[str, ...]]) -> list[tuple[Any, ...]]:
    """The rows that `statement` finds by these tuples, which are its parameters column by column; none without tuples."""
    if not columns:
        return []
    with transaction.get_connection(feeds.Feed.objects.db).cursor() as cursor:
        cursor.execute(statement, [list(column) for column in zip(*columns, strict=True)])
        return list(cursor.fetchall())


def _place(notification: feeds.Notification) -> tuple[str, int]:
    """What names a notification before it is written."""
    return notification.user_id, notification.seq


def _lot_of(notification: feeds.Notification) -> tuple[str, str | None]:
    return notification.user_id, notification.data.get("auction_id")
