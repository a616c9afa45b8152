"""One example for each body of the REST API, sent or answered, by the name of its component. A test holds each against its
schema."""

from typing import Any

_USER = "5f0c8a4e9b7d4c2fa1e36d80b9c7e512"
_AUCTION = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
_PRODUCT = "9f8e7d6c5b4a39281706f5e4d3c2b1a0"
_HASH = "c0535e4be2b79ffd93291305436bf889314e4a3faec05ecffcbb7df31ad9e51a"
_AT = 1_795_000_000_000
_LATER = 1_900_000_000_000  # an auction begins in the future
_SOFT_CLOSE = {
    "window_ms": 120_000,
    "extension_ms": 120_000,
    "mode": "reset",
    "trigger": "leader_or_price",
    "cap_total_ms": 3_600_000,
    "hard_stop_at": None,
}
_LISTED = {
    "id": _AUCTION,
    "seq": 4,
    "status": "OPEN",
    "ended": False,
    "outcome": None,
    "format": "english",
    "title": "Sextant",
    "thumbnail": f"/api/v1/products/{_PRODUCT}/thumbnail?v=1f2e3d4c",
    "currency": "EUR",
    "price": "105.00",
    "minimum": "107.50",
    "starts_at": _AT,
    "ends_at": _AT + 3_600_000,
    "bids": 1,
    "quantity_left": 1,
    "seller_id": "house",
    "product_id": _PRODUCT,
}
_AUCTION_NOW = {
    **_LISTED,
    "hash": _HASH,
    "text": "Brass, about 1890.",
    "bidders": 1,
    "leader": "Bidder 1",
    "has_reserve": False,
    "reserve_met": True,
    "quantity": 1,
    "sold": 0,
    "undecided_sales": 0,
    "reason": "",
    "terms": {
        "start_price": "10.00",
        "allocate": "on_listing",
        "soft_close": _SOFT_CLOSE,
        "relistings_left": 5,
        "relist_of": None,
        "card_required": True,
        "rules": 1,
        "increments": "2026-1",
    },
}
_OPENING = {
    "actor": _USER,
    "salt": _HASH[:32],
    "maximum": 12_550,
    "reserve": None,
    "buyer": None,
    "reason": None,
}
_BID = {
    "auction_id": _AUCTION,
    "seq": 4,
    "hash": _HASH,
    "at": _AT + 60_000,
    "standing": "leading",
    "bidder": "Bidder 1",
    "currency": "EUR",
    "price": "105.00",
    "minimum": "107.50",
    "ends_at": _AT + 3_600_000,
    "reserve_met": True,
    "quantity_left": 1,
    "sale_id": None,
    "receipt": {"seq": 4, "hash": _HASH, "commitment": _HASH, "opening": _OPENING},
}
_STANDING = {
    "auction_id": _AUCTION,
    "seq": 4,
    "standing": "leading",
    "alias": "Bidder 1",
    "maximum": "125.50",
    "currency": "EUR",
}
_ORDER = {
    "number": "GV-37AD-RM1A-M1MD",
    "status": "CONFIRMED",
    "title": "Sextant",
    "quantity": 1,
    "amount": "105.00",
    "currency": "EUR",
    "placed_at": _AT + 3_700_000,
    "sale_id": f"{_AUCTION}-5",
    "auction_id": _AUCTION,
    "product_id": _PRODUCT,
    "payment": "CAPTURED",
}
_ITEM = {
    "cursor": "19a1b2c3d4e:7",
    "kind": "outbid",
    "text": "You were outbid on “Sextant”: the price is now €130.00",
    "badge": "Outbid",
    "mood": "bad",
    "link": f"/auctions/{_AUCTION}",
    "data": {"auction_id": _AUCTION, "title": "Sextant", "price": "130.00", "currency": "EUR"},
    "at": _AT + 120_000,
    "withdrawn": False,
    "read": False,
}
_STOCKED = {
    "id": _PRODUCT,
    "sku": "SEXTANT-1",
    "title": "Sextant",
    "description": "Brass, about 1890.",
    "condition": "GOOD",
    "owner_id": "house",
    "image": f"/api/v1/products/{_PRODUCT}/image?v=1f2e3d4c",
    "thumbnail": f"/api/v1/products/{_PRODUCT}/thumbnail?v=1f2e3d4c",
    "on_hand": 3,
    "available": 2,
    "reserved": 1,
    "committed": 0,
    "low_threshold": 0,
    "is_low": False,
    "version": 5,
}
_TALLY = {"status": "CONFIRMED", "currency": "EUR", "orders": 12, "amount": "1260.00"}
_TOKENS = {"access_token": "eyJhbGciOiJSUzI1NiIs…", "refresh_token": "eyJhbGciOiJSUzI1NiIs…"}

EXAMPLES: dict[str, Any] = {
    "Account": {
        "sub": _USER,
        "email": "you@gavel.example",
        "email_verified": True,
        "roles": ["bidder"],
        "state": "ACTIVE",
        "created_at": _AT // 1000,
    },
    "RoleChangeBodyRequest": {"grant": "seller", "reason": "They sell their own pieces."},
    "ReasonBodyRequest": {"reason": "The piece broke."},
    "ErasureBodyRequest": {"password": "going-going-gone"},
    "PersonalData": {
        "account": {
            "id": _USER,
            "email": "you@gavel.example",
            "email_verified": True,
            "state": "ACTIVE",
            "roles": ["bidder"],
            "created_at": "2026-11-18T11:06:40+00:00",
            "last_sign_in_at": None,
        },
        "addresses": [{"email": "you@gavel.example", "verified": True, "primary": True}],
        "sessions": [
            {"ip": "192.0.2.7", "program": "Mozilla/5.0", "signed_in_at": "2026-11-18T11:06:40+00:00"}
        ],
        "second_factor": [],
        "history": [
            {
                "at": "2026-11-18T11:06:40+00:00",
                "what": "ROLE_GRANTED",
                "detail": "seller",
                "reason": "Sells clocks.",
            }
        ],
        "looked_at_by_the_auction_house": [],
        "elsewhere": {
            "orders": "/api/v1/orders",
            "bids": "/api/v1/bids/mine",
            "card": "/api/v1/card",
            "notifications": "/api/v1/notifications",
        },
    },
    "Token": {"access": _TOKENS["access_token"], "expires_in": 300},
    "LogIn": {"email": "you@gavel.example", "password": "going-going-gone"},
    "LoggedIn": {
        "status": 200,
        "data": {"user": {"id": _USER, "email": "you@gavel.example"}, "methods": []},
        "meta": {"is_authenticated": True, **_TOKENS},
    },
    "Refresh": {"refresh_token": _TOKENS["refresh_token"]},
    "Refreshed": {"status": 200, "data": _TOKENS},
    "ServerTime": {"now": _AT},
    "AuctionBodyRequest": {
        "product_id": _PRODUCT,
        "format": "english",
        "currency": "EUR",
        "start_price": "100.00",
        "reserve_price": "150.00",
        "starts_at": _LATER,
        "ends_at": _LATER + 3_600_000,
    },
    "Auction": _AUCTION_NOW,
    "AuctionPage": {
        "items": [{**_LISTED, "start_price": "10.00"}],
        "page": 1,
        "pages": 1,
        "total": 1,
    },
    "BidBodyRequest": {"amount": "125.50", "currency": "EUR"},
    "BidAnswer": _BID,
    "Outcome": _BID,
    "History": {
        "entries": [
            {
                "auction_id": _AUCTION,
                "seq": 5,
                "at": _AT + 3_600_000,
                "commitment": _HASH,
                "facts": {
                    "kind": "cancelled",
                    "reason": "The piece broke.",
                    "by": "house",
                    "ended": True,
                },
                "prev": _HASH,
                "v": 1,
                "hash": _HASH,
            }
        ],
        "next": None,
    },
    "Standing": _STANDING,
    "OwnBids": {"items": [{"auction": _AUCTION_NOW, **_STANDING}], "page": 1, "pages": 1, "total": 1},
    "OrderPage": {"items": [_ORDER], "page": 1, "pages": 1, "total": 1},
    "OrderDetail": {
        **_ORDER,
        "timeline": [{"at": _AT + 3_700_000, "about": "order", "kind": "PLACED", "detail": ""}],
    },
    "Statistics": {
        "since": _AT,
        "by_status": [_TALLY],
        "by_day": [{"day": "2026-11-28", **_TALLY}],
    },
    "CardBodyRequest": {"number": "4242424242424242"},
    "Card": {
        "brand": "visa",
        "last4": "4242",
        "behaviour": "accepts",
        "usable": True,
        "unusable_reason": None,
    },
    "ProductBodyRequest": {"sku": "SEX-1", "title": "Sextant", "condition": "GOOD"},
    "PatchedCorrectionBodyRequest": {"description": "Brass, about 1890."},
    "Product": _STOCKED,
    "ProductPage": {"items": [_STOCKED], "page": 1, "pages": 1, "total": 1},
    "NotificationList": {
        "items": [_ITEM],
        "cursor": _ITEM["cursor"],
        "unread": 1,
        "more": False,
        "snapshot_required": False,
    },
    "ReadBodyRequest": {"cursor": _ITEM["cursor"]},
    "ReadPosition": {"cursor": _ITEM["cursor"], "unread": 0},
    "ServiceList": {
        "items": [
            {
                "id": "web:bids:5f0c8a4e",
                "role": "web",
                "copy": "bids",
                "services": ["bidding"],
                "address": "10.0.0.7:8000",
                "private_address": "10.0.0.7:8001",
                "version": "0.1.0",
                "host": "machine-1",
                "pid": 4711,
                "started_at": _AT,
                "ready": True,
                "cpu": 0.12,
                "memory_mib": 148.5,
                "rate": {"value": 85.3, "unit": "requests"},
                "lag": {"value": 2.0, "unit": "requests"},
            }
        ]
    },
    "StreamTicket": {"ticket": "n3Yh8Zs0cQ5l4oVb", "expires_in": 30},
}
_CODES: dict[int, str] = {
    400: "invalid",
    401: "invalid_token",
    403: "forbidden",
    404: "not_found",
    406: "invalid",
    408: "body_too_slow",
    409: "conflict",
    410: "session_ended",
    413: "body_too_large",
    415: "wrong_content_type",
    422: "key_reused",
    429: "too_often",
    503: "unavailable",
}


def problem(status: int, detail: str) -> dict[str, Any]:
    """An example of a problem with this status."""
    code = _CODES[status]
    return {
        "type": f"/problems/{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
        "code": code,
    }
