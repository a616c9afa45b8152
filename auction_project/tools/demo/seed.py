"""Makes the demo's accounts, cards, categories, products, stock and offers through the apps' services. Running it again changes
nothing."""

from datetime import UTC, datetime

import msgspec

from auction_project.accounts import services as accounts
from auction_project.kernel import ids
from auction_project.tools.demo import people, pictures, shelf, storeroom
from auction_project.tools.demo.catalogue import PIECES, Thing
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
    """What the seed has made; `products` by SKU, those of the auctions."""

    accounts: tuple[Account, ...]
    products: dict[str, str]

    def of(self, role: str) -> list[Account]:
        return [account for account in self.accounts if account.person.role == role]


def sow(now: datetime) -> House:
    """Make everything that the market and the shop need."""
    everyone = (*people.VISITORS, *people.crowd(f"{now:%Y%m%d}"))
    accounts_ = tuple(_account(person, now) for person in everyone)
    (seller,) = [account for account in accounts_ if account.person.role == "seller"]
    for slug, name, parent in shelf.CATEGORIES:
        if not stock.Category.objects.filter(slug=slug).exists():
            inventory.add_category(slug=slug, name=name, parent=parent)
    for ware in shelf.WARES:
        _offer(ware, seller.user_id, now)
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


def _offer(ware: shelf.Ware, seller_id: str, now: datetime) -> None:
    """A product of the shop, with its offer. What an operator has changed since stays."""
    product_id = _product(ware, seller_id, now)
    if stock.Offer.objects.filter(product=product_id).exists():
        return
    if ware.views > 1:
        inventory.add_picture(
            product_id=product_id,
            image=pictures.draw_detail(ware),
            alt=f"{ware.title}, a detail",
            actor="demo",
            now=now,
        )
    inventory.set_offer(
        product_id=product_id,
        price=ware.price,
        currency="EUR",
        max_per_order=ware.max_per_order,
        published=True,
        actor="demo",
        now=now,
    )


def _product(thing: Thing, seller_id: str, now: datetime) -> str:
    existing_id = stock.Product.objects.filter(sku=thing.sku).values_list("id", flat=True).first()
    if existing_id:
        return str(existing_id)
    product_id = ids.new_id()
    inventory.create_product(
        product_id=product_id,
        sku=thing.sku,
        title=thing.title,
        description=thing.text,
        condition=thing.condition,
        category=thing.category,
        attributes=[{"name": name, "value": value} for name, value in thing.facts],
        owner_id=seller_id if thing.owner == "seller" else "house",
        actor="demo",
        now=now,
        image=pictures.draw(thing),
        alt=thing.title,
    )
    storeroom.receive(product_id, thing.stock, key=f"demo:{thing.sku}", reason="Opening stock.", now=now)
    return product_id
