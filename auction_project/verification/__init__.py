"""The invariants of the whole, each with a checker over the raw stores; `manage.py verify` runs them all.

An app checks its own invariants in its `invariants.py`. `sales` (S1, S3, S6, I4, N1), `checkouts` (C2), `events` (E1 to E4) and
`notices` (N4) check those that no app can see alone. Effects are read before causes, because each effect must have its cause. On a
live system, unfinished sales are set aside and counted.
"""

from auction_project.verification.report import Report, verify

__all__ = ["Report", "verify"]
