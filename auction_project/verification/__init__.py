"""The invariants of the whole, each with a checker over the raw stores; `manage.py verify` runs them all.

An app's own invariants are its `invariants.py`; `sales` (S1, S3, I4) and `events` (E1 to E4) are those that no app can see
alone. Effects are read before causes: what has an effect must have its cause. On a live system what belongs to an
unfinished sale is set aside and counted.
"""

from auction_project.verification.report import Report, verify

__all__ = ["Report", "verify"]
