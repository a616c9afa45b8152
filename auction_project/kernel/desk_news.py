"""How the pages of the owner's desk learn that its figures have changed: orders rings, and notifications passes it on.

A ring has no figures, because the page fetches them; one that is lost costs a page a minute at most. A pass shows that its holder may
see the desk. A page gets one with each answer. A pass ends as soon as an access token, so a person who loses the right to the desk hears of changes
for five minutes at most.
"""

from django.core import signing

from auction_project.kernel import bell, errors

CHANNEL = "gavel:desk"
PASS_HEADER = "Gavel-Desk-Pass"  # noqa: S105 - a name
PASS_SECONDS = 300
_HOLDER = "desk"


class DeskForbidden(errors.Forbidden):
    """Only those who may see the desk may watch it, with a pass of its page that is not too old."""

    remedy = "Load the page of the desk again."


def ring() -> None:
    """The figures have changed. Best effort: never raises because of Redis."""
    bell.ring([CHANNEL])


def new_pass() -> str:
    """A pass for a reader who may see the desk."""
    return _signer().sign(_HOLDER)


def check_pass(shown: str) -> None:
    """Raises DeskForbidden."""
    try:
        _signer().unsign(shown, max_age=PASS_SECONDS)
    except signing.BadSignature as error:
        raise DeskForbidden(field="desk_pass") from error


def _signer() -> signing.TimestampSigner:
    return signing.TimestampSigner(salt="gavel.desk")
