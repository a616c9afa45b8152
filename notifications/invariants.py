"""The invariants N1 and N3, checked over the raw rows.

Each check is one statement, so that it sees one moment of a live system. The constraints make some violations impossible;
the checks do not rely on them.
"""

from datetime import datetime, timedelta

from django.db import connections

from auction_project.kernel import findings
from auction_project.kernel.messaging import once
from notifications import kinds, models

MAX_REPORTED = 100

# N1: the seqs of a user are 1, 2, 3 … up to the last seq of the feed.
_GAPS = """
SELECT coalesce(f.user_id, n.user_id) || ': feed at ' || coalesce(f.last_seq::text, 'nothing') || ', '
       || coalesce(n.rows, 0) || ' notifications from ' || coalesce(n.first, 0) || ' to ' || coalesce(n.last, 0)
FROM notifications_feed f
FULL JOIN (SELECT user_id, count(*) AS rows, min(seq) AS first, max(seq) AS last, count(DISTINCT seq) AS seqs
           FROM notifications_notification GROUP BY user_id) n USING (user_id)
WHERE f.user_id IS NULL OR coalesce(n.rows, 0) <> f.last_seq
   OR (f.last_seq > 0 AND (n.first <> 1 OR n.last <> f.last_seq OR n.seqs <> n.rows))
LIMIT %(limit)s
"""

# N1: no user has two notifications of one kind and source.
_DOUBLES = """
SELECT user_id || ': ' || kind || ' of ' || source || ' ' || count(*) || ' times'
FROM notifications_notification GROUP BY user_id, kind, source HAVING count(*) > 1
LIMIT %(limit)s
"""

# N3: a notification for one user went to one user; one for operators went only to accounts that are or were operators.
_STRANGERS = """
SELECT kind || ' of ' || source || ' went to ' || count(DISTINCT user_id) || ' users'
FROM notifications_notification WHERE NOT kind = ANY(%(to_operators)s)
GROUP BY kind, source HAVING count(DISTINCT user_id) > 1
UNION ALL
SELECT n.user_id || ': ' || n.kind || ' ' || n.seq || ', but never was an operator'
FROM notifications_notification n LEFT JOIN notifications_account a USING (user_id)
WHERE n.kind = ANY(%(to_operators)s) AND NOT coalesce(a.was_operator, false)
LIMIT %(limit)s
"""

# N3: every notification has an event whose handling was committed. The inbox shows that for as long as it is kept.
_UNCOMMITTED = """
SELECT n.user_id || ': ' || n.kind || ' ' || n.seq || ' is of ' || n.source || ', which was not handled'
FROM notifications_notification n
WHERE n.created_at > %(since)s AND n.source NOT LIKE 'order:%%'
  AND NOT EXISTS (SELECT 1 FROM notifications_once o WHERE o.key = 'event:' || n.source AND o.state = 'DONE')
LIMIT %(limit)s
"""


def check(*, now: datetime) -> list[findings.Finding]:
    """A finding for each statement, with at most MAX_REPORTED violations."""
    return [
        _finding("N1", _GAPS, now),
        _finding("N1", _DOUBLES, now),
        _finding("N3", _STRANGERS, now),
        _finding("N3", _UNCOMMITTED, now),
    ]


def _finding(invariant: str, statement: str, now: datetime) -> findings.Finding:
    parameters = {
        "limit": MAX_REPORTED,
        "to_operators": [kind.name for kind in kinds.TABLE.values() if kind.is_for_operators],
        "since": now - timedelta(days=once.KEEP_DAYS - 1),
    }
    with connections[models.DATABASE].cursor() as cursor:
        cursor.execute(statement, parameters)
        violations = tuple(row[0] for row in cursor.fetchall())
    return findings.Finding(invariant, models.Notification.objects.count(), violations)
