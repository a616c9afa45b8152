"""Refusals are values: a rule that said no, with the figures that a bidder needs. Nothing is stored for one."""

from typing import Any, Literal

import msgspec

MONEY = frozenset({"amount", "minimum", "price"})
Kind = Literal["refused", "forbidden", "invalid", "not_found", "conflict"]


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """`rule` is the stable name; `seq` and `hash` are the state that it was decided at.
    Figures named in MONEY are minor units of `currency`."""

    rule: str
    detail: str
    kind: Kind = "refused"
    field: str | None = None
    figures: dict[str, Any] = {}
    currency: str = ""
    seq: int = 0
    hash: str = ""
