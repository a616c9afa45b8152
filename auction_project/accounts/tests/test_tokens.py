"""What a token says, and which tokens are refused: by signature alone, wherever it is sent."""

import re
import time
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from allauth.headless.internal import sessionkit
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings
from django.utils import timezone

from auction_project.accounts import checks, models, services, token_strategy
from auction_project.accounts.tests.conftest import NOW, App, claims_of, ended
from auction_project.kernel import ids, tokens

pytestmark = pytest.mark.django_db(databases=["default"])
Make = Callable[..., models.User]
ME = "/api/v1/me"


def hs256_with_the_public_key(user: models.User) -> str:
    """PyJWT refuses to sign so; an attacker does not ask it."""
    import base64
    import hashlib
    import hmac
    import json

    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    signed = ".".join(
        part(json.dumps(value).encode()) for value in ({"alg": "HS256", "typ": "JWT"}, claims_of(user))
    )
    return f"{signed}.{part(hmac.digest(settings.JWT_PUBLIC_KEY.encode(), signed.encode(), hashlib.sha256))}"


def signed(user: models.User, **changed: Any) -> str:
    return jwt.encode(claims_of(user, **changed), settings.JWT_PRIVATE_KEY, algorithm="RS256")


def test_a_token_says_who_which_roles_and_since_when(make: Make, app: App) -> None:
    ada = make("ada", "seller")
    before = time.time()

    token = app.log_in("ada")["access_token"]

    claims = tokens.verify(token)
    assert (claims.sub, claims.roles, claims.email_verified) == (ada.id, ("bidder", "seller"), True)
    assert claims.created_at == int(NOW.timestamp())
    assert before + 299 <= claims.exp <= time.time() + 300
    assert jwt.get_unverified_header(token)["alg"] == "RS256"


FORGERIES: dict[str, Callable[[models.User], str]] = {
    "another key": lambda user: jwt.encode(
        claims_of(user), rsa.generate_private_key(public_exponent=65537, key_size=2048), algorithm="RS256"
    ),
    "no signature (alg none)": lambda user: jwt.encode(claims_of(user), None, algorithm="none"),
    "HS256 with the public key": hs256_with_the_public_key,
    "changed after signing": lambda user: ".".join(
        [
            signed(user).split(".")[0],
            signed(user, roles=["operator"]).split(".")[1],
            signed(user).split(".")[2],
        ]
    ),
    "expired": lambda user: signed(user, iat=1, exp=int(time.time()) - 1),
    "for another audience": lambda user: signed(user, aud="somewhere-else"),
    "a refresh token": lambda user: signed(user, token_use="refresh"),
    "without an end": lambda user: signed(user, exp=None),
    "without roles": lambda user: signed(user, roles=None),
    "roles of a wrong type": lambda user: signed(user, roles="operator"),
    "not yet": lambda user: signed(user, nbf=int(time.time()) + 100),
    "nonsense": lambda _: "abc.def.ghi",
    "nothing": lambda _: " ",
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_token_that_accounts_did_not_sign_so_is_refused(
    make: Make, app: App, forge: Callable[..., str]
) -> None:
    olga, ada = make("olga", "operator"), make("ada")

    token = forge(olga)

    for status, problem in (
        app.get(ME, token=token),
        app.post(f"/api/v1/accounts/{ada.id}/roles", {"grant": "seller"}, token=token),
    ):
        assert (status, problem["status"]) == (401, 401)
        assert problem["code"] in ("invalid_token", "unauthenticated")
    assert models.User.objects.get(pk=ada.id).version == 1


def test_the_forgeries_fail_by_their_one_fault(make: Make, app: App) -> None:
    assert app.get(ME, token=signed(make("olga", "operator")))[0] == 200


def refresh(app: App, token: str) -> tuple[int, Any]:
    status, body = app.post("/_allauth/app/v1/tokens/refresh", {"refresh_token": token})
    return status, body["data"] if status == 200 else body


def at(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Set the strategy's clock `seconds` ahead."""
    ahead = timezone.now() + timedelta(seconds=seconds)
    monkeypatch.setattr(token_strategy, "timezone", SimpleNamespace(now=lambda: ahead))


def test_a_refresh_token_gives_the_next_pair(make: Make, app: App) -> None:
    ada = make("ada")
    meta = app.log_in("ada")

    status, second = refresh(app, meta["refresh_token"])
    third_status, third = refresh(app, second["refresh_token"])

    assert (status, third_status) == (200, 200)
    assert len({meta["refresh_token"], second["refresh_token"], third["refresh_token"]}) == 3
    assert tokens.verify(second["access_token"]).sub == ada.id
    assert ended(ada.id) == []


def test_a_refresh_whose_answer_was_lost_gets_the_same_successor(
    make: Make, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = make("ada")
    first = app.log_in("ada")["refresh_token"]
    _, lost = refresh(app, first)

    at(monkeypatch, token_strategy.RETRY_SECONDS - 1)
    status, again = refresh(app, first)

    assert (status, again["refresh_token"]) == (200, lost["refresh_token"])
    assert refresh(app, again["refresh_token"])[0] == 200
    assert ended(ada.id) == []


def test_a_refresh_token_used_again_later_ends_its_family(
    make: Make, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = make("ada")
    meta, other = app.log_in("ada"), app.log_in("ada")
    _, stolen = refresh(app, meta["refresh_token"])

    at(monkeypatch, token_strategy.RETRY_SECONDS + 1)
    status, problem = refresh(app, meta["refresh_token"])

    assert (status, problem["code"]) == (400, "refresh_token_invalid")
    assert refresh(app, stolen["refresh_token"])[0] == 400
    assert ended(ada.id) == [tokens.verify(meta["access_token"]).session]
    assert refresh(app, other["refresh_token"])[0] == 200


def test_a_refresh_token_whose_successor_was_used_ends_its_family_at_once(make: Make, app: App) -> None:
    ada = make("ada")
    meta = app.log_in("ada")
    _, second = refresh(app, meta["refresh_token"])
    _, third = refresh(app, second["refresh_token"])

    assert refresh(app, meta["refresh_token"])[0] == 400
    assert refresh(app, third["refresh_token"])[0] == 400
    assert ended(ada.id) == [tokens.verify(meta["access_token"]).session]


def test_a_session_keeps_a_bounded_number_of_refresh_tokens(make: Make, app: App) -> None:
    make("ada")
    meta = app.log_in("ada")
    token = meta["refresh_token"]

    for _ in range(token_strategy.MAX_REFRESH_TOKENS + 5):
        token = refresh(app, token)[1]["refresh_token"]

    session = sessionkit.lookup_session(meta["session_token"])
    assert session is not None
    assert len(session["headless_refresh_tokens"]) == 1
    assert len(session["refreshed"]) == 1


def test_a_token_names_its_session_and_leads_to_no_session_key(make: Make, app: App) -> None:
    make("ada")
    meta = app.log_in("ada")

    _, refreshed = refresh(app, meta["refresh_token"])

    expected = ids.session_id(meta["session_token"])
    assert re.fullmatch("[0-9a-f]{32}", expected)
    assert tokens.verify(meta["access_token"]).session == expected
    assert tokens.verify(refreshed["access_token"]).session == expected
    assert meta["session_token"] not in str(
        jwt.decode(meta["access_token"], options={"verify_signature": False})
    )


def test_a_token_without_a_session_holds(make: Make) -> None:
    assert tokens.verify(signed(make("ada"))).session == ""


def test_changed_roles_show_in_the_next_token(make: Make, app: App) -> None:
    ada = make("ada")
    meta = app.log_in("ada")

    services.grant_role(user_id=ada.id, role="seller", reason="x", actor="command", now=NOW)
    services.revoke_role(user_id=ada.id, role="bidder", reason="x", actor="command", now=NOW)
    _, body = app.post("/_allauth/app/v1/tokens/refresh", {"refresh_token": meta["refresh_token"]})

    assert tokens.verify(meta["access_token"]).roles == ("bidder",)
    assert tokens.verify(body["data"]["access_token"]).roles == ("seller",)
    assert app.get(ME, token=meta["access_token"])[1]["roles"] == ["seller"]


@pytest.mark.parametrize("shut", [services.bar_account, services.close_account])
def test_a_barred_or_closed_account_gets_no_new_token(make: Make, app: App, shut: Callable[..., Any]) -> None:
    ada = make("ada")
    meta = app.log_in("ada")

    shut(user_id=ada.id, reason="x", actor="command", now=NOW)

    refreshed, body = app.post("/_allauth/app/v1/tokens/refresh", {"refresh_token": meta["refresh_token"]})
    assert (refreshed, "data" in body) == (400, False)
    by_session, _ = app.get("/_allauth/app/v1/auth/session", session=meta["session_token"])
    logged_in, answer = app.post(
        "/_allauth/app/v1/auth/login", {"email": "ada@example.org", "password": "the quick brown fox"}
    )
    assert (by_session, logged_in, "access_token" in answer["meta"]) == (410, 401, False)
    assert ended(ada.id) == [tokens.verify(meta["access_token"]).session]
    assert tokens.verify(meta["access_token"]).exp <= time.time() + 300


def test_logging_out_ends_the_refresh_token(make: Make, app: App) -> None:
    make("ada")
    meta = app.log_in("ada")

    app.send("DELETE", "/_allauth/app/v1/auth/session", session=meta["session_token"])

    assert app.post("/_allauth/app/v1/tokens/refresh", {"refresh_token": meta["refresh_token"]})[0] == 400


def test_a_public_key_of_another_pair_is_found_at_the_start(settings: Any) -> None:
    assert checks.check_signing_keys() == []

    settings.JWT_PUBLIC_KEY = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"
    assert [message.id for message in checks.check_signing_keys()] == ["accounts.E002"]
    settings.JWT_PRIVATE_KEY = "nonsense"
    assert [message.id for message in checks.check_signing_keys()] == ["accounts.E001"]
    settings.SERVICES = ["bidding"]
    assert checks.check_signing_keys() == []
