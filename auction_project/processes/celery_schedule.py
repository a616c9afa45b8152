"""What beat sends, and when: the sweeps, which find in the databases what is due. A task that no worker takes expires, so
that missed sweeps do not pile up."""

from typing import Any

SWEEP_SECONDS = 1.0
EMAIL_SWEEP_SECONDS = 10.0
EXPIRED_LOTS_SECONDS = 60.0
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
}
