"""Inventory accepted the lot: from here on the fold knows title, text, thumbnail and seller."""

from bidding.rules.commands import Command
from bidding.rules.facts import Facts, Hidden
from bidding.rules.kinds.base import Changes, wrong_status
from bidding.rules.refusals import Refusal
from bidding.rules.state import State, Status


class Schedule(Command, frozen=True, kw_only=True):
    """`stock_version` is the version of the product's stock when inventory accepted the lot."""

    title: str
    text: str
    thumbnail: str
    seller_id: str
    stock_version: int


class Scheduled(Facts, frozen=True, kw_only=True, tag="scheduled"):
    """The auction is listed, and opens at the start that its terms name."""

    title: str
    text: str
    thumbnail: str
    seller_id: str
    stock_version: int


def decide(state: State, command: Schedule, at: int) -> tuple[Scheduled, Hidden] | Refusal:
    if state.status is not Status.REQUESTED:
        return wrong_status(state, "scheduled")
    facts = Scheduled(
        title=command.title,
        text=command.text,
        thumbnail=command.thumbnail,
        seller_id=command.seller_id,
        stock_version=command.stock_version,
    )
    return facts, Hidden(actor=command.actor, salt=command.salt)


def apply(state: State, facts: Scheduled, hidden: Hidden) -> Changes:
    return {
        "status": Status.SCHEDULED,
        "title": facts.title,
        "text": facts.text,
        "thumbnail": facts.thumbnail,
        "seller_id": facts.seller_id,
        "stock_version": facts.stock_version,
    }
