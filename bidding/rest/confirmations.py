"""Tokens with which a bidder confirms an unusual bid: signed, for one bidder, auction and request, valid for five minutes.

Nothing is stored. The repeated bid runs through all rules again; the token only answers the one question that it is about.
"""

from django.core import signing

from bidding.rules import commands

VALID_SECONDS = 300
_SALT = "bidding.confirmation"


def issue(command: commands.PlaceBid, because: str) -> str:
    """The token that confirms `because` for this very bid."""
    return signing.dumps([*_about(command), because], salt=_SALT)


def confirmed(command: commands.PlaceBid, token: str) -> str:
    """What `token` confirms about this bid; "" when it is forged, too old, or of another bid."""
    try:
        *about, because = signing.loads(token, salt=_SALT, max_age=VALID_SECONDS)
    except (signing.BadSignature, ValueError, TypeError):
        return ""
    return because if about == _about(command) and isinstance(because, str) else ""


def _about(command: commands.PlaceBid) -> list[str]:
    return [command.auction_id, command.actor, command.request()]
