"""Why a sale failed, in words: one table for e-mails, notices and the admin. `web/static/gavel/js/reasons.js` has the
same, and a test compares them."""

from collections.abc import Mapping

from auction_project.kernel.contracts import events

IN_WORDS: Mapping[events.FailureReason, str] = {
    "stock_refused": "the item is no longer in stock",
    "risk_refused": "our risk check did not pass",
    "payment_refused": "the payment was declined",
    "unpaid": "it was not paid in time",
    "step_failed": "something went wrong on our side",
    "operator": "an operator cancelled it",
}


def in_words(code: str) -> str:
    """The reason in words; a text that is no code of Gavel stays as it is."""
    return IN_WORDS.get(code, code)  # type: ignore[call-overload]
