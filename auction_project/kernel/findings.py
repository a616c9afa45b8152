"""What a check of an invariant reports. The checks themselves are each app's `invariants.py`; `manage.py verify` runs them."""

import msgspec


class Finding(msgspec.Struct, frozen=True):
    """One invariant by its id, such as M1: how much was looked at, and each violation in words. None: it holds."""

    invariant: str
    checked: int
    violations: tuple[str, ...]
