"""The test numbers of simulated cards, and how each card behaves. Pure. A full number is read here and never kept.

The payment provider reads a card's behaviour from its token (`tok_<behaviour>_<random>`). A request to the provider can
change the behaviour of a card while it runs.

| number              | behaviour            | what the provider does with a capture                                   |
|---------------------|----------------------|-------------------------------------------------------------------------|
| 4242 4242 4242 4242 | `accepts`            | captures                                                                |
| 4000 0000 0000 0002 | `refuses`            | declines                                                                |
| 4000 0000 0000 4103 | `timeout_done`       | captures, and never answers in time                                     |
| 4000 0000 0000 4202 | `timeout_not_done`   | captures nothing, and never answers in time                             |
| 4000 0000 0000 4301 | `timeout_lands_late` | never answers in time, and captures later unless it is cancelled first  |
"""

import re

import msgspec

from orders import exceptions

TEST_NUMBERS = {
    "4242424242424242": "accepts",
    "4000000000000002": "refuses",
    "4000000000004103": "timeout_done",
    "4000000000004202": "timeout_not_done",
    "4000000000004301": "timeout_lands_late",
}
MAX_NUMBER_CHARACTERS = 40
BRAND = "Gavel Test"


class TestCard(msgspec.Struct, frozen=True):
    """What is kept of a number. `last4`: its last four digits."""

    behaviour: str
    brand: str
    last4: str


def recognise(number: str) -> TestCard:
    """The card of a test number, with or without spaces or dashes. Raises UnknownTestCard."""
    digits = re.sub(r"[ -]", "", number)
    behaviour = TEST_NUMBERS.get(digits)
    if behaviour is None:
        raise exceptions.UnknownTestCard(field="number", numbers=sorted(TEST_NUMBERS))
    return TestCard(behaviour=behaviour, brand=BRAND, last4=digits[-4:])
