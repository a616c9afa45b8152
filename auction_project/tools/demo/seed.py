"""Makes the demo's accounts, cards, products and stock through the apps' services. Running it again changes nothing."""

from datetime import UTC, datetime

import msgspec

from auction_project.accounts import services as accounts
from auction_project.kernel import ids
from auction_project.tools.demo import people, pictures, storeroom
from auction_project.tools.demo.catalogue import PIECES, Piece
from inventory import models as stock
from inventory import services as inventory
from orders import services as orders


class Account(msgspec.Struct, frozen=True):
    """The account of a person, as a client needs it."""

    person: people.Person
    user_id: str
    created_at: int

    @property
    def roles(self) -> tuple[str, ...]:
        return self.person.roles


class House(msgspec.Struct, frozen=True):
    """What the seed has made; `products` by SKU."""

    accounts: tuple[Account, ...]
    products: dict[str, str]

    def of(self, role: str) -> list[Account]:
        return [account for account in self.accounts if account.person.role == role]


def sow(now: datetime) -> House:
    """Make everything that the market needs."""
    everyone = (*people.VISITORS, *people.crowd(f"{now:%Y%m%d}"))
    accounts_ = tuple(_account(person, now) for person in everyone)
    (seller,) = [account for account in accounts_ if account.person.role == "seller"]
    return House(accounts_, {piece.sku: _product(piece, seller.user_id, now) for piece in PIECES})


def _account(person: people.Person, now: datetime) -> Account:
    """The account, with a card on file, because a bid without one is refused."""
    user = accounts.create_account(
        email=person.email,
        password=person.password,
        roles=person.roles,
        groups=person.groups,
        verified=True,
        superuser=person.superuser,
        actor="demo",
        now=now - person.age,
    )
    orders.set_card(user_id=user.id, number=person.card, now=datetime.now(UTC))
    return Account(person, user.id, int(user.date_joined.timestamp()))


def _product(piece: Piece, seller_id: str, now: datetime) -> str:
    existing_id = stock.Product.objects.filter(sku=piece.sku).values_list("id", flat=True).first()
    if existing_id:
        return str(existing_id)
    product_id = ids.new_id()
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
    storeroom.receive(product_id, piece.stock, key=f"demo:{piece.sku}", reason="Opening stock.", now=now)
    return product_id
