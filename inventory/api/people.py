"""Whose products a user may see and change: sellers their own, operators all."""

from auction_project.kernel import errors, tokens
from inventory import models


def only_owner(user: tokens.Claims) -> str | None:
    """Whose products `user` may see; None for all."""
    return None if user.has("operator") else user.sub


def owner_of_new(user: tokens.Claims, requested: str | None) -> str:
    """Who owns what `user` creates. Raises Forbidden."""
    if user.has("operator"):
        return requested or models.HOUSE
    if requested not in (None, user.sub):
        raise errors.Forbidden("Sellers create products of their own only.", field="owner_id")
    return user.sub
