"""What an app shows on the Overview, the first page of the admin. `web/pages/overview.py` puts the panels of all apps together,
so that no app knows another."""

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line: what, how much, and the path of the page that shows more. `is_warning`: it waits for an operator."""

    label: str
    value: str
    link: str
    is_warning: bool = False


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """A title over some rows, for those who have the permission. `none` is shown where there are no rows.

    `rows` takes the beginning of the day. It raises django.db.OperationalError.
    """

    title: str
    permission: str
    rows: Callable[[datetime], Sequence[Row]]
    none: str
