"""The store of sessions (SESSION_ENGINE): Django's own, in PostgreSQL. A key that Django cannot have made is no key.

A client chooses what its cookie holds. A quoted cookie may even hold a null character, which PostgreSQL takes in no text.
"""

import re

from django.contrib.sessions.backends import db

KEY_FORM = re.compile(r"[0-9a-z]{32}")  # what Django gives a session


class SessionStore(db.SessionStore):
    """A session of Django's. With a key of another form it is a new one."""

    def _validate_session_key(self, key: str | None) -> bool:
        return key is not None and KEY_FORM.fullmatch(key) is not None
