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
        "pay_within_minutes": 0,
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
    "lines": [
        {
            "product_id": _PRODUCT,
            "seller_id": "house",
            "title": "Sextant",
            "quantity": 1,
            "amount": "105.00",
            "auction_id": None,
        }
    ],
    "quantity": 1,
    "shipping": "0.00",
    "amount": "105.00",
    "currency": "EUR",
    "placed_at": _AT + 3_700_000,
    "sale_id": f"{_AUCTION}-5",
    "auction_id": _AUCTION,
    "payment": "CAPTURED",
}
_POSTAL = {
    "name": "Ada Example",
    "line1": "Hauptstraße 1",
    "line2": "",
    "postal_code": "10115",
    "city": "Berlin",
    "country": "DE",
    "phone": "",
}
_WANTED = {"product_id": _PRODUCT, "quantity": 2, "price": "10.50"}
_AWARD = {
    "id": f"{_AUCTION}-5",
    "auction_id": _AUCTION,
    "product_id": _PRODUCT,
    "title": "Sextant",
    "quantity": 1,
    "price": "105.00",
    "currency": "EUR",
    "state": "DUE",
    "pay_by": _AT + 86_400_000,
    "order_number": None,
}
_CART = {
    "lines": [
        {
            "product_id": _PRODUCT,
            "title": "Sextant",
            "slug": "sextant-9f8e7d6c",
            "thumbnail": f"/api/v1/products/{_PRODUCT}/thumbnail?v=1f2e3d4c",
            "quantity": 2,
            "seen_price": "10.50",
            "price": "10.50",
            "currency": "EUR",
            "total": "21.00",
            "max_per_order": 5,
            "problem": None,
        }
    ],
    "awards": [_AWARD],
    "subtotal": "21.00",
    "shipping": "4.90",
    "total": "25.90",
    "currency": "EUR",
}
_CHECKOUT = {
    "id": _AUCTION,
    "status": "RESERVED",
    "lines": [
        {
            "product_id": _PRODUCT,
            "title": "Sextant",
            "quantity": 2,
            "unit_price": "10.50",
            "price": "21.00",
            "auction_id": None,
            "award_id": None,
        }
    ],
    "shipping": "4.90",
    "total": "25.90",
    "currency": "EUR",
    "address": _POSTAL,
    "started_at": _AT,
    "pay_by": _AT + 890_000,
    "expires_at": _AT + 900_000,
    "shortages": [],
    "failure": "",
    "order_number": None,
    "server_time": _AT + 250,
}
_ADDRESS = {"id": "6d5c4b3a29180706f5e4d3c2b1a09f8e", **_POSTAL, "is_default": True}
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
    "category": "instruments",
    "attributes": [{"name": "Maker", "value": "Dollond, London"}],
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
    "offer": {
        "slug": "sextant-9f8e7d6c",
        "price": "129.00",
        "currency": "EUR",
        "max_per_order": 5,
        "published": True,
    },
}
_STOCKED_WITH_PICTURES = {
    **_STOCKED,
    "pictures": [
        {
            "id": "1f2e3d4c5b6a",
            "url": f"/api/v1/products/{_PRODUCT}/image?v=1f2e3d4c5b6a",
            "thumbnail": f"/api/v1/products/{_PRODUCT}/thumbnail?v=1f2e3d4c5b6a",
            "alt": "The sextant in its box",
        }
    ],
}
_OFFER = {
    "product_id": _PRODUCT,
    "slug": "sextant-9f8e7d6c",
    "title": "Sextant",
    "thumbnail": f"/api/v1/products/{_PRODUCT}/thumbnail?v=1f2e3d4c5b6a",
    "price": "129.00",
    "currency": "EUR",
    "condition": "GOOD",
    "category": "instruments",
    "available": 2,
    "max_per_order": 5,
    "seller": "house",
}
_TALLY = {"status": "CONFIRMED", "currency": "EUR", "orders": 12, "amount": "1260.00"}
_TOKENS = {"access_token": "eyJhbGciOiJSUzI1NiIs…", "refresh_token": "eyJhbGciOiJSUzI1NiIs…"}

_SAVED_SEARCH = {
    "id": "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
    "among": "offers",
    "query": {
        "q": "brass sextant",
        "category": "",
        "condition": "",
        "currency": "EUR",
        "min_price": "",
        "max_price": "200.00",
        "in_stock": False,
    },
    "created_at": _AT,
    "matched_at": None,
}
_SAVED_SEARCH_OF_LOTS = {
    "id": "1b2c3d4e5f60718293a4b5c6d7e8f90a",
    "among": "lots",
    "query": {
        "q": "brass sextant",
        "format": "english",
        "currency": "EUR",
        "min_price": "",
        "max_price": "200.00",
    },
    "created_at": _AT,
    "matched_at": _AT,
}
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
        "devices_and_networks": [
            {
                "kind": "DEVICE",
                "hash": "4b1d8f60c2a94e7793d05b6a1ce8f274",
                "first_seen_at": "2026-11-18T11:06:40+00:00",
                "last_seen_at": "2026-11-20T08:15:00+00:00",
            }
        ],
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
            "addresses": "/api/v1/addresses",
            "notifications": "/api/v1/notifications",
            "searches": "/api/v1/searches",
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
        "next": None,
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
    "ShipmentBodyRequest": {"carrier": "Parcel Post", "tracking_number": "PP 0034 1234"},
    "CancellationBodyRequest": {"reason": "I chose the wrong size."},
    "RefundBodyRequest": {"amount": "25.00", "reason": "The mirror has a crack."},
    "ReturnBodyRequest": {
        "lines": [{"product_id": _PRODUCT, "quantity": 1, "damaged": True}],
        "reason": "The mirror has a crack.",
    },
    "ReturnRequestBodyRequest": {
        "lines": [{"product_id": _PRODUCT, "quantity": 1}],
        "reason": "The mirror has a crack.",
    },
    "DecisionBodyRequest": {"accept": True, "reason": "Please send it in its box."},
    "OrderDetail": {
        **_ORDER,
        "status": "SHIPPED",
        "role": "buyer",
        "address": _POSTAL,
        "shipments": [
            {
                "seller_id": "house",
                "carrier": "Parcel Post",
                "tracking_number": "PP 0034 1234",
                "shipped_at": _AT + 86_400_000,
                "delivered_at": None,
            }
        ],
        "refunds": [
            {
                "id": "0d1c2b3a495867768594a3b2c1d0e0f1",
                "amount": "25.00",
                "reason": "The mirror has a crack.",
                "status": "PENDING",
                "at": _AT + 90_000_000,
                "done_at": None,
            }
        ],
        "refunded": "25.00",
        "returns": [],
        "return_requests": [
            {
                "id": "2e7d1b8c4a6f40d9b3a58c1f7e9d2b60",
                "seller_id": "house",
                "status": "DECLINED",
                "reason": "I have no room for it.",
                "at": _AT + 88_000_000,
                "lines": [{"product_id": _PRODUCT, "quantity": 1}],
                "answer": "It was sold as it is.",
                "decided_at": _AT + 89_000_000,
                "possible": [],
            }
        ],
        "returnable": [{"product_id": _PRODUCT, "quantity": 1, "until": _AT + 1_296_000_000}],
        "possible": ["ask_return"],
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
    "CartLineBodyRequest": {"quantity": 2, "price": "10.50", "currency": "EUR"},
    "TakeoverBodyRequest": {"lines": [_WANTED], "currency": "EUR"},
    "CheckoutBodyRequest": {
        "lines": [_WANTED],
        "awards": [f"{_AUCTION}-5"],
        "currency": "EUR",
        "address_id": None,
    },
    "AwardList": {"items": [_AWARD]},
    "Cart": _CART,
    "Checkout": _CHECKOUT,
    "CheckoutList": {"items": [_CHECKOUT]},
    "AddressBodyRequest": {**_POSTAL, "is_default": True},
    "Address": _ADDRESS,
    "AddressList": {"items": [_ADDRESS]},
    "ProductBodyRequest": {"sku": "SEX-1", "title": "Sextant", "condition": "GOOD"},
    "PatchedCorrectionBodyRequest": {"description": "Brass, about 1890."},
    "ProductWithPictures": _STOCKED_WITH_PICTURES,
    "PictureBodyRequest": {"image": "(the file)", "alt": "The sextant in its box"},
    "PicturesBodyRequest": {"pictures": [{"id": "1f2e3d4c5b6a", "alt": "The sextant in its box"}]},
    "Categories": {
        "items": [
            {"slug": "antiques", "name": "Antiques", "parent": None, "offers": 12},
            {"slug": "instruments", "name": "Instruments", "parent": "antiques", "offers": 5},
        ]
    },
    "OfferPage": {
        "items": [_OFFER],
        "next": None,
        "total": 1,
        "total_is_capped": False,
        "facets": {
            "categories": [{"slug": "instruments", "name": "Instruments", "count": 1}],
            "conditions": [{"value": "GOOD", "count": 1}],
            "prices": {"min": "129.00", "max": "129.00", "currency": "EUR"},
        },
    },
    "Suggestions": {"items": ["sextant", "Brass sextant, London"]},
    "SavedSearchBodyRequest": {
        "among": "lots",
        "q": "brass sextant",
        "currency": "EUR",
        "max_price": "200.00",
    },
    "SavedSearch": _SAVED_SEARCH,
    "SavedSearches": {"items": [_SAVED_SEARCH_OF_LOTS, _SAVED_SEARCH]},
    "OfferDetail": {
        **_OFFER,
        "description": "Brass, about 1890.",
        "pictures": [
            {
                "url": f"/api/v1/products/{_PRODUCT}/image?v=1f2e3d4c5b6a",
                "thumbnail": f"/api/v1/products/{_PRODUCT}/thumbnail?v=1f2e3d4c5b6a",
                "alt": "The sextant in its box",
            }
        ],
        "attributes": [{"name": "Maker", "value": "Dollond, London"}],
        "updated_at": _AT,
    },
    "OwnOffer": {
        **_OFFER,
        "published": True,
        "version": 3,
        "updated_at": _AT,
        "prices": [
            {"price": "129.00", "currency": "EUR", "at": _AT},
            {"price": "149.00", "currency": "EUR", "at": _AT - 86_400_000},
        ],
    },
    "OfferBodyRequest": {"price": "129.00", "currency": "EUR", "max_per_order": 5, "published": True},
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
