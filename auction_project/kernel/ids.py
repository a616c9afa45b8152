"""Ids that follow from facts, so that a repeated decision yields the same sale, order and event, and the double is
recognised.

Pure functions, mostly of (auction, seq). Nothing is stored, and only `new_id` is random.
"""

import hashlib
import re
import uuid

HOUSE = "house"  # the owner and seller of the house's own products and lots
ID_FORM = "[0-9a-f]{32}"  # of an auction's id, and of every other id that is 32 hex digits
SALE_ID_FORM = f"{ID_FORM}-[0-9]{{1,10}}"

_ID = re.compile(ID_FORM)
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_SEARCHES = uuid.UUID("1f5c8a30-52f7-5e0b-9c1d-6a4be0d7c3f2")
_PRODUCTS = uuid.UUID("3d1f0c52-7d0e-5b7e-8a53-0f6f3b1e2c94")
_UPLOADS = uuid.UUID("5a4f2d86-0b1c-5d39-8e77-c2f06b9a41d5")
_RELISTINGS = uuid.UUID("7b0a6f6e-6f3d-5c53-9a55-3a7d1c0c8a11")


def new_id() -> str:
    """A fresh random id (32 hex digits), for auctions, keys and messages."""
    return uuid.uuid4().hex


def is_id(text: str) -> bool:
    """Whether `text` is 32 hex digits, and not a name such as `house` or `command`."""
    return _ID.fullmatch(text) is not None


def auction_id(actor: str, key: str) -> str:
    """The auction that `actor` requested under the Idempotency-Key `key`."""
    return uuid.uuid5(_RELISTINGS, f"requested:{actor}:{key}").hex


def product_id(actor: str, key: str) -> str:
    """The product that `actor` created under the Idempotency-Key `key`."""
    return uuid.uuid5(_PRODUCTS, f"{actor}:{key}").hex


def upload_id(actor: str, key: str) -> str:
    """The upload of a picture that `actor` sent under the Idempotency-Key `key`."""
    return uuid.uuid5(_UPLOADS, f"{actor}:{key}").hex


def search_id(user_id: str, key: str) -> str:
    """The search that the user saved under the Idempotency-Key `key`."""
    return uuid.uuid5(_SEARCHES, f"{user_id}:{key}").hex


def sale_id(auction_id: str, seq: int) -> str:
    """The sale that the entry `seq` of `auction_id` made."""
    return f"{auction_id}-{seq}"


def auction_of_sale(sale: str) -> tuple[str, int]:
    """The inverse of `sale_id`. Raises ValueError when `sale` is not an id of a sale."""
    auction_id, _, seq = sale.rpartition("-")
    if not auction_id:
        raise ValueError(f"not a sale id: {sale!r}")
    return auction_id, int(seq)


def order_number(sale: str) -> str:
    """The number that people read and spell: `GV-XXXX-XXXX-XXXX`, 60 bits in Crockford's base 32."""
    bits = int.from_bytes(hashlib.sha256(f"order:{sale}".encode()).digest()[:8], "big") >> 4
    digits = "".join(_CROCKFORD[bits >> shift & 31] for shift in range(55, -5, -5))
    return f"GV-{digits[:4]}-{digits[4:8]}-{digits[8:]}"


def relisted_auction_id(auction_id: str, seq: int) -> str:
    """The auction that lists the lot again after entry `seq` ended `auction_id`."""
    return uuid.uuid5(_RELISTINGS, f"{auction_id}:{seq}").hex


def session_id(session_key: str) -> str:
    """The public id of a session. The session key cannot be computed from it."""
    return hashlib.sha256(session_key.encode()).hexdigest()[:32]


def event_id(auction_id: str, seq: int, suffix: str) -> str:
    """The event `suffix` (its type, and its receiver if it has several) of the entry `seq`."""
    return f"{auction_id}:{seq}:{suffix}"
