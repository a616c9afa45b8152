"""The steps of a rotation (docs/operations.md), each with tokens from before it: none ends early, and none outlives its
key.
"""

import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from auction_project.accounts import checks, models
from auction_project.accounts.tests.conftest import App, claims_of
from auction_project.kernel import tokens
from auction_project.settings import development_keys

pytestmark = pytest.mark.django_db(databases=["default"])
Make = Callable[..., models.User]
ME, REFRESH, SESSION = "/api/v1/me", "/_allauth/app/v1/tokens/refresh", "/_allauth/app/v1/auth/session"


def _new_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _sign_with(settings: Any, private_key: str, *, second: str = "") -> None:
    settings.JWT_PRIVATE_KEY = settings.HEADLESS_JWT_PRIVATE_KEY = private_key
    settings.JWT_PUBLIC_KEY = development_keys.public_key_of(private_key)
    settings.JWT_SECOND_PUBLIC_KEY = second


def _kid(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def test_a_token_names_the_key_that_signed_it(make: Make, app: App, settings: Any) -> None:
    ada = make("ada")

    issued = app.log_in("ada")["access_token"]
    made = tokens.sign(sub=ada.id, roles=["bidder"], created_at=1, now=time.time(), seconds=60)

    assert _kid(issued) == _kid(made) == tokens.key_id(settings.JWT_PUBLIC_KEY)


def test_a_rotation_ends_no_session_and_ends_with_the_old_key_refused(
    make: Make, app: App, settings: Any
) -> None:
    make("ada")
    old, new = settings.JWT_PRIVATE_KEY, _new_key()
    old_public, new_public = (development_keys.public_key_of(key) for key in (old, new))
    before = app.log_in("ada")

    _sign_with(settings, old, second=new_public)  # step 1: every process knows the next key
    assert _kid(app.log_in("ada")["access_token"]) == tokens.key_id(old_public)

    _sign_with(settings, new, second=old_public)  # step 2: accounts signs with it
    assert app.get(ME, token=before["access_token"])[0] == 200
    assert app.get(SESSION, token=before["access_token"])[0] == 200
    status, refreshed = app.post(REFRESH, {"refresh_token": before["refresh_token"]})
    assert (status, _kid(refreshed["data"]["access_token"])) == (200, tokens.key_id(new_public))
    again = app.post(REFRESH, {"refresh_token": before["refresh_token"]})[
        1
    ]  # a retry gets the same successor
    assert again["data"]["refresh_token"] == refreshed["data"]["refresh_token"]
    unused = app.log_in("ada")["refresh_token"]

    _sign_with(settings, _new_key(), second=new_public)
    tokens._cache.clear()  # as the restart with other settings does
    assert app.get(ME, token=before["access_token"])[0] == 401  # step 3: the old key is gone
    assert app.get(SESSION, token=before["access_token"])[0] in (401, 410)
    assert app.post(REFRESH, {"refresh_token": unused})[0] == 200


def test_a_token_of_the_second_key_ends_when_it_says(make: Make, app: App, settings: Any) -> None:
    ada = make("ada")
    old = settings.JWT_PRIVATE_KEY
    old_public = development_keys.public_key_of(old)
    header = {"kid": tokens.key_id(old_public)}
    ended = jwt.encode(claims_of(ada, exp=int(time.time()) - 1), old, algorithm="RS256", headers=header)

    _sign_with(settings, _new_key(), second=old_public)

    assert app.get(ME, token=ended)[0] == 401
    assert app.get(ME, token=jwt.encode(claims_of(ada), old, algorithm="RS256", headers=header))[0] == 200


@pytest.mark.parametrize("second", [False, True])
def test_an_unknown_key_another_algorithm_and_a_wrong_name_are_refused(
    make: Make, app: App, settings: Any, second: bool
) -> None:
    olga, ada = make("olga", "operator"), make("ada")
    own, stranger = settings.JWT_PRIVATE_KEY, _new_key()
    other = _new_key()
    if second:
        settings.JWT_SECOND_PUBLIC_KEY = development_keys.public_key_of(other)
    own_kid = tokens.key_id(settings.JWT_PUBLIC_KEY)
    forgeries = {
        "unknown kid": jwt.encode(claims_of(olga), own, algorithm="RS256", headers={"kid": "unknown"}),
        "empty kid": jwt.encode(claims_of(olga), own, algorithm="RS256", headers={"kid": ""}),
        "a stranger's key": jwt.encode(
            claims_of(olga), stranger, algorithm="RS256", headers={"kid": own_kid}
        ),
        "the second key's signature": jwt.encode(
            claims_of(olga), other, algorithm="RS256", headers={"kid": own_kid}
        ),
        "RS512": jwt.encode(claims_of(olga), own, algorithm="RS512", headers={"kid": own_kid}),
        "PS256": jwt.encode(claims_of(olga), own, algorithm="PS256", headers={"kid": own_kid}),
        "HS256": jwt.encode(claims_of(olga), "x" * 40, algorithm="HS256", headers={"kid": own_kid}),
        "none": jwt.encode(claims_of(olga), None, algorithm="none", headers={"kid": own_kid}),
    }

    for forged in forgeries.values():
        assert app.get(ME, token=forged)[0] == 401
        status, _ = app.post(f"/api/v1/accounts/{ada.id}/roles", {"grant": "seller"}, token=forged)
        assert status == 401
    assert models.User.objects.get(pk=ada.id).version == 1


def test_a_new_secret_key_keeps_the_sessions_of_the_one_before(make: Make, app: App, settings: Any) -> None:
    make("ada")
    first, second = settings.SECRET_KEY, "another secret of more than thirty-two characters"
    before, unused = app.log_in("ada"), app.log_in("ada")

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = second, [first]
    status, body = app.post(REFRESH, {"refresh_token": before["refresh_token"]})
    assert status == 200
    assert app.get(SESSION, token=body["data"]["access_token"])[0] == 200
    assert app.post(REFRESH, {"refresh_token": body["data"]["refresh_token"]})[0] == 200

    settings.SECRET_KEY_FALLBACKS = []
    assert app.post(REFRESH, {"refresh_token": unused["refresh_token"]})[0] == 400
    assert app.get(ME, token=unused["access_token"])[0] == 200  # it names no session: signature alone


def test_a_second_key_that_is_none_is_found_at_the_start(settings: Any) -> None:
    settings.JWT_SECOND_PUBLIC_KEY = "nonsense"

    assert [message.id for message in checks.check_signing_keys()] == ["accounts.E003"]
    settings.SERVICES = ["bidding"]
    assert [message.id for message in checks.check_signing_keys()] == ["accounts.E003"]
