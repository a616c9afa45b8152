"""What messaging itself consumes: the dead letters of all topics, into the list that the admin shows."""

from auction_project.kernel import contracts
from auction_project.kernel.messaging import consuming, dead_letters, services


def on_dead_letter(_envelope: contracts.Envelope, letter: dead_letters.Letter) -> None:
    services.record_dead_letter(letter=letter)


SUBSCRIPTION = consuming.Subscription(
    group="dead-letters",
    reads=dead_letters.topics_of(contracts.events.TOPICS),
    decode=dead_letters.decode,
    handlers={dead_letters.Letter: on_dead_letter},
)
