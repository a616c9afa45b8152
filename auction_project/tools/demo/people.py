"""The accounts of the demo: those that a visitor can sign in with, and the simulated crowd. Plain data."""

from datetime import timedelta

import msgspec

PASSWORD = "going-going-gone"  # noqa: S105 - the demo listens on this machine alone
CROWD_DOMAIN = "crowd.gavel.example"
BIDDERS = 36
OLD = timedelta(days=200)
ACCEPTS, REFUSES, TIMES_OUT, TIMES_OUT_DONE = (
    "4242424242424242",
    "4000000000000002",
    "4000000000004202",
    "4000000000004103",
)


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """One account. `title` names it on the button that signs a visitor in. `card` is the test number on file.
    `buys_every` is the pause between purchases of an account whose sales fail, in seconds; `hurries` is how many
    purchases come first, one soon after the other."""

    email: str
    role: str
    roles: tuple[str, ...]
    note: str
    title: str = ""
    card: str = ACCEPTS
    password: str | None = None
    groups: tuple[str, ...] = ()
    superuser: bool = False
    age: timedelta = OLD
    buys_every: tuple[float, float] | None = None
    hurries: int = 1


VISITORS: tuple[Person, ...] = (
    Person(
        email="you@gavel.example",
        role="you",
        title="a bidder",
        roles=("bidder",),
        note="bid yourself; soon two won lots wait in your cart",
        password=PASSWORD,
    ),
    Person(
        email="operator@gavel.example",
        role="operator",
        title="the operator",
        roles=("operator", "bidder"),
        note="all auctions, stock and sales",
        password=PASSWORD,
        superuser=True,
    ),
    Person(
        email="clerk@gavel.example",
        role="clerk",
        title="the stock clerk",
        roles=("bidder",),
        note="receive and count stock",
        password=PASSWORD,
        groups=("stock clerk",),
    ),
    Person(
        email="seller@gavel.example",
        role="seller",
        title="a seller",
        roles=("seller", "bidder"),
        note="list your own products",
        password=PASSWORD,
    ),
)


def crowd(today: str) -> tuple[Person, ...]:
    """The simulated bidders. `today` is part of the name of one account, so that it is always new: risk depends on the
    age."""
    bidders = tuple(
        Person(email=f"bidder-{number}@{CROWD_DOMAIN}", role="bidder", roles=("bidder",), note="card accepts")
        for number in range(1, BIDDERS + 1)
    )
    return (
        *bidders,
        _troubled("declined", "card is refused", REFUSES, (150.0, 300.0)),
        _troubled("slow", "payment times out and is cancelled", TIMES_OUT, (240.0, 420.0)),
        _troubled("late", "payment times out, yet was captured", TIMES_OUT_DONE, (240.0, 420.0)),
        # After three refused payments a new account is refused for risk.
        _troubled(
            f"risky-{today}",
            "new account, refused for risk",
            REFUSES,
            (240.0, 420.0),
            age=timedelta(0),
            hurries=4,
        ),
        Person(
            email=f"collector@{CROWD_DOMAIN}", role="collector", roles=("bidder",), note="buys the last print"
        ),
    )


def _troubled(
    name: str,
    note: str,
    card: str,
    buys_every: tuple[float, float],
    *,
    age: timedelta = OLD,
    hurries: int = 1,
) -> Person:
    return Person(
        email=f"{name}@{CROWD_DOMAIN}",
        role="bidder",
        roles=("bidder",),
        note=note,
        card=card,
        buys_every=buys_every,
        age=age,
        hurries=hurries,
    )
