"""State events carry a version per subject; a consumer keeps the highest. So a late or replayed one changes nothing.

For a table that mirrors somebody else's state: `class Account(versions.StateRow)` and one `versions.keep_highest`.
"""

from typing import Any

from django.db import models


class StateRow(models.Model):
    """The newest known state of one subject; the fields beside it are the app's."""

    subject = models.CharField(max_length=200, primary_key=True)
    version = models.BigIntegerField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.subject} at {self.version}"


def keep_highest(table: type[StateRow], *, subject: str, version: int, **state: Any) -> bool:
    """Write `state` unless a state of this version or a newer one is there; whether it was written.

    Whoever comes at the same time comes after or before, never beside.
    """
    older = table.objects.filter(pk=subject, version__lt=version)
    if older.update(version=version, **state):
        return True
    _, is_new = table.objects.get_or_create(pk=subject, defaults={"version": version, **state})
    return is_new or bool(older.update(version=version, **state))
