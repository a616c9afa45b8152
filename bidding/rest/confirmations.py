"""Tokens with which a bidder confirms an unusual bid: signed, for one bidder, auction and request, valid for five
minutes.

Nothing is stored. The repeated bid runs through all rules again; the token answers only the question that it was issued
for.
"""

from django.core import signing

from bidding.rules import commands

VALID_SECONDS = 300
_SALT = "bidding.confirmation"


def issue(command: commands.PlaceBid, because: str) -> str:
    """The token that confirms `because` for this very bid."""
    return signing.dumps([*_subject(command), because], salt=_SALT)


def confirmed(command: commands.PlaceBid, token: str) -> str:
    """The `because` that `token` confirms for this bid; "" when the token is forged, too old, or of another bid."""
    try:
        *subject, because = signing.loads(token, salt=_SALT, max_age=VALID_SECONDS)
    except (signing.BadSignature, ValueError, TypeError):
        return ""
    return because if subject == _subject(command) and isinstance(because, str) else ""


def _subject(command: commands.PlaceBid) -> list[str]:
    return [command.auction_id, command.actor, command.request()]
