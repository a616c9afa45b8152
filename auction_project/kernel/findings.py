"""The report of one invariant's check. Each app's `invariants.py` has the checks; `manage.py verify` runs them."""

import msgspec


class Finding(msgspec.Struct, frozen=True):
    """One invariant by its id, such as M1: how many things were checked, and each violation in words. Without a
    violation the invariant holds.
    """

    invariant: str
    checked: int
    violations: tuple[str, ...]
