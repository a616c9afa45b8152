"""Makes the demo's accounts, cards, products and stock through the apps' services. Running it again changes nothing."""

from datetime import UTC, datetime, timedelta

import msgspec

from auction_project.accounts import services as accounts
from auction_project.contracts import names
from auction_project.demo import pictures
from auction_project.demo.catalogue import PIECES, Piece
from inventory import models as stock
from inventory import services as inventory
from orders import services as orders

PASSWORD = "going-going-gone"  # noqa: S105 - the demo listens on this machine alone
BIDDERS = 12
_OLD = timedelta(days=200)
_ACCEPTS, _REFUSES, _TIMES_OUT_DONE, _TIMES_OUT = (
    "4242424242424242",
    "4000000000000002",
    "4000000000004103",
    "4000000000004202",
)


class Account(msgspec.Struct, frozen=True):
    """Somebody who takes part; `password` is None for the simulated crowd."""

    email: str
    role: str
    user_id: str
    roles: tuple[str, ...]
    created_at: int
    note: str
    password: str | None


class House(msgspec.Struct, frozen=True):
    """What the seed left behind; `products` by SKU."""

    accounts: tuple[Account, ...]
    products: dict[str, str]

    def of(self, role: str) -> list[Account]:
        return [account for account in self.accounts if account.role == role]


def sow(now: datetime) -> House:
    """Everything that the market needs."""
    guest = _account("you@gavel.example", "you", ("bidder",), "bid yourself")
    orders.set_card(user_id=guest.user_id, number=_ACCEPTS, now=now)
    operator = _account(
        "operator@gavel.example", "operator", ("operator", "bidder"), "everything", superuser=True
    )
    clerk = _account("clerk@gavel.example", "clerk", ("bidder",), "the stock desk", groups=("stock clerk",))
    seller = _account("seller@gavel.example", "seller", ("seller", "bidder"), "own products and auctions")
    crowd = [
        _bidder(f"bidder-{number}@gavel.example", _ACCEPTS, "card accepts")
        for number in range(1, BIDDERS + 1)
    ]
    crowd += [
        _bidder("declined@gavel.example", _REFUSES, "card is refused"),
        _bidder("slow@gavel.example", _TIMES_OUT, "payment times out and is cancelled"),
        _bidder("late@gavel.example", _TIMES_OUT_DONE, "payment times out, yet was captured"),
        _bidder(
            "risky@gavel.example", _REFUSES, "new account, in the end refused for risk", age=timedelta(0)
        ),
    ]
    products = {piece.sku: _product(piece, seller.user_id, now) for piece in PIECES}
    return House((guest, operator, clerk, seller, *crowd), products)


def _bidder(email: str, card: str, note: str, age: timedelta = _OLD) -> Account:
    account = _account(email, "bidder", ("bidder",), note, password=None, age=age)
    orders.set_card(user_id=account.user_id, number=card, now=datetime.now(UTC))
    return account


def _account(
    email: str,
    role: str,
    roles: tuple[str, ...],
    note: str,
    *,
    password: str | None = PASSWORD,
    groups: tuple[str, ...] = (),
    superuser: bool = False,
    age: timedelta = _OLD,
) -> Account:
    user = accounts.create_account(
        email=email,
        password=password,
        roles=roles,
        groups=groups,
        verified=True,
        superuser=superuser,
        actor="demo",
        now=datetime.now(UTC) - age,
    )
    return Account(email, role, user.id, roles, int(user.date_joined.timestamp()), note, password)


def _product(piece: Piece, seller_id: str, now: datetime) -> str:
    found = stock.Product.objects.filter(sku=piece.sku).values_list("id", flat=True).first()
    if found:
        return str(found)
    product_id = names.new_id()
    inventory.create_product(
        product_id=product_id,
        sku=piece.sku,
        title=piece.title,
        description=piece.text,
        condition=piece.condition,
        owner_id=seller_id if piece.owner == "seller" else "house",
        actor="demo",
        now=now,
        image=pictures.draw(piece),
    )
    warehouse = stock.Warehouse.objects.order_by("priority").values_list("code", flat=True)[0]
    inventory.receive_stock(
        key=f"demo:{piece.sku}",
        product_id=product_id,
        warehouse=warehouse,
        quantity=piece.stock,
        actor="demo",
        now=now,
        reason="Opening stock.",
    )
    return product_id
