"""Who stands behind the id of an account, for the admin of every app.

Accounts alone knows addresses: its directory decides who may see which address, and records who looked. An app holds ids,
and shows them by `kernel/admin.py`.
"""

from collections.abc import Collection, Mapping
from typing import Protocol

import msgspec
from django.http import HttpRequest

from auction_project.kernel import owned

MAX_ADDRESS_CHARACTERS = 254  # of an e-mail address, by which a log names who did something (RFC 5321)


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """An account as a reader may see it. `has_page`: the reader may open its page."""

    name: str
    has_page: bool


class Directory(Protocol):
    def look_up(
        self, request: HttpRequest, user_ids: Collection[str], *, page: str, is_list: bool
    ) -> Mapping[str, Person]:
        """Those of the accounts that the reader may see, by id. Call it only to show them on `page`, because it records
        the look."""
        ...

    def record_look(self, *, actor: str, user_id: str, page: str, query: str) -> None:
        """Record that `actor` sees personal data of the account on `page`, other than its e-mail address. Call it before the page shows
        them. A person who sees their own data leaves no record."""
        ...

    def find(self, request: HttpRequest, address: str) -> str | None:
        """The id of the account with this address, if the reader may see it."""
        ...


directory: owned.Owned[Directory] = owned.Owned("directory of accounts")
