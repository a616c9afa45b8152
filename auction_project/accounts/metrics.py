"""The metrics of accounts, for Prometheus. Each counter counts in its own process."""

import prometheus_client

LOGINS = prometheus_client.Counter(
    "gavel_logins",
    "Attempts to sign in, by their end: succeeded, failed (wrong address or password), locked (too many failures).",
    ["outcome"],
)
REFUSED_BY_LIMIT = prometheus_client.Counter(
    "gavel_account_requests_limited", "Requests that a limit of accounts refused.", ["rule"]
)
REFRESHES = prometheus_client.Counter(
    "gavel_token_refreshes",
    "Refreshes, by their end: rotated, repeated (a retry), reused (the session was ended), invalid.",
    ["outcome"],
)
SESSIONS_ENDED = prometheus_client.Counter(
    "gavel_sessions_ended", "Sessions that this process ended.", ["reason"]
)
MAILS_NOT_SENT = prometheus_client.Counter(
    "gavel_account_mails_not_sent", "Mails about accounts that the mail server did not take.", ["template"]
)
