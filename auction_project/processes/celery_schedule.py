"""What beat sends, and when: the sweeps, which find in the databases what is due. A task that no worker takes expires, so
that missed sweeps do not pile up."""

from typing import Any

SWEEP_SECONDS = 1.0
EMAIL_SWEEP_SECONDS = 10.0
EXPIRED_LOTS_SECONDS = 60.0
EXPIRED_CHECKOUTS_SECONDS = 1.0
SAVED_SEARCHES_SECONDS = 5.0
REFUNDS_SECONDS = 1.0
LAPSED_AWARDS_SECONDS = 5.0
UNANSWERED_RETURNS_SECONDS = 60.0
SWEEP_EXPIRES_SECONDS = 5.0

SCHEDULE: dict[str, dict[str, Any]] = {
    "sweep": {
        "task": "sagas.sweep",
        "schedule": SWEEP_SECONDS,
        "options": {"queue": "sweep", "expires": SWEEP_EXPIRES_SECONDS},
    },
    "emails": {
        "task": "notifications.sweep_emails",
        "schedule": EMAIL_SWEEP_SECONDS,
        "options": {"queue": "email", "expires": EMAIL_SWEEP_SECONDS},
    },
    "security-notices": {
        "task": "accounts.sweep_notices",
        "schedule": EMAIL_SWEEP_SECONDS,
        "options": {"queue": "email", "expires": EMAIL_SWEEP_SECONDS},
    },
    "expired-lots": {
        "task": "inventory.release_expired_lots",
        "schedule": EXPIRED_LOTS_SECONDS,
        "options": {"queue": "inventory", "expires": EXPIRED_LOTS_SECONDS},
    },
    "expired-checkouts": {
        "task": "inventory.release_expired_checkouts",
        "schedule": EXPIRED_CHECKOUTS_SECONDS,
        "options": {"queue": "sweep", "expires": SWEEP_EXPIRES_SECONDS},
    },
    "saved-searches": {
        "task": "inventory.compare_with_searches",
        "schedule": SAVED_SEARCHES_SECONDS,
        "options": {"queue": "sweep", "expires": SWEEP_EXPIRES_SECONDS},
    },
    "refunds": {
        "task": "orders.send_refunds",
        "schedule": REFUNDS_SECONDS,
        "options": {"queue": "orders", "expires": SWEEP_EXPIRES_SECONDS},
    },
    "lapsed-awards": {
        "task": "orders.lapse_awards",
        "schedule": LAPSED_AWARDS_SECONDS,
        "options": {"queue": "sweep", "expires": SWEEP_EXPIRES_SECONDS},
    },
    "unanswered-returns": {
        "task": "orders.escalate_returns",
        "schedule": UNANSWERED_RETURNS_SECONDS,
        "options": {"queue": "sweep", "expires": UNANSWERED_RETURNS_SECONDS},
    },
}
