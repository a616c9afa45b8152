"""What messaging itself consumes: it keeps the dead letters of all topics in the list that the admin shows."""

from auction_project.kernel import contracts
from auction_project.kernel.messaging import consuming, dead_letters, services


def on_dead_letter(_envelope: contracts.Envelope, dead_letter: dead_letters.DeadLetter) -> None:
    services.record_dead_letter(dead_letter=dead_letter)


SUBSCRIPTION = consuming.Subscription(
    group="dead-letters",
    reads=dead_letters.topics_of(contracts.events.TOPICS),
    decode=dead_letters.decode,
    handlers={dead_letters.DeadLetter: consuming.each(on_dead_letter)},
)
