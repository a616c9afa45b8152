"""The metrics of accounts. Each counter counts in its own process."""

from auction_project.kernel import metrics

_WEB = ("web",)

LOGINS = metrics.counter(
    "gavel_logins_total",
    "Attempts to sign in, by their end: succeeded, failed (wrong address or password), locked (too many failures).",
    ["outcome"],
    roles=_WEB,
)
REFUSED_BY_LIMIT = metrics.counter(
    "gavel_account_requests_limited_total", "Requests that a limit of accounts refused.", ["rule"], roles=_WEB
)
REFRESHES = metrics.counter(
    "gavel_token_refreshes_total",
    "Refreshes, by their end: rotated, repeated (a retry), reused (the session was ended), invalid.",
    ["outcome"],
    roles=_WEB,
)
SESSIONS_ENDED = metrics.counter(
    "gavel_sessions_ended_total", "Sessions that this process ended.", ["reason"], roles=_WEB
)
MAILS_NOT_SENT = metrics.counter(
    "gavel_account_mails_not_sent_total",
    "Mails about accounts that the mail server did not take.",
    ["template"],
    roles=("web", "mail"),
)
