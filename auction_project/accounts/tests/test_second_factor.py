"""The second factor: staff need it before the admin opens, and who has set it up signs in with nothing less."""

from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa import models as mfa_models
from allauth.mfa.totp.internal import auth
from django.core import checks as django_checks
from django.test import Client

from auction_project.accounts import checks, models, personal, second_factor, services
from auction_project.accounts.tests.conftest import NOW, PASSWORD, App
from auction_project.kernel import tokens

pytestmark = pytest.mark.django_db(databases="__all__")  # the Overview asks all apps
Make = Callable[..., models.User]
ACTIVATE, AGAIN = "/accounts/2fa/totp/activate/", "/accounts/2fa/reauthenticate/"
LOGIN = "/_allauth/app/v1/auth/login"
ADA = {"email": "olga@example.org", "password": PASSWORD}


@pytest.fixture(autouse=True)
def required(settings: Any) -> None:
    settings.STAFF_SECOND_FACTOR = True


@pytest.fixture
def olga(make: Make) -> models.User:
    services.sync_group_permissions()
    return make("olga", "operator", groups=["auction operator"])


def signed_in(*, code: str = "") -> Client:
    browser = Client()
    answer = browser.post("/accounts/login/", {"login": "olga@example.org", "password": PASSWORD})
    if code:
        assert answer.headers["Location"] == "/accounts/2fa/authenticate/"
        assert browser.post("/accounts/2fa/authenticate/", {"code": code}).status_code == 302
    return browser


def code_of(secret: str) -> str:
    """The code of this moment: of the steps that are accepted, the one in the middle."""
    _, now, _ = auth.yield_hotp_counters_from_time()
    return auth.format_hotp_value(auth.hotp_value(secret, now))


def set_up(browser: Client) -> str:
    """The key of the authenticator app."""
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    shown = browser.get(ACTIVATE).content.decode()
    assert "<svg" in shown
    secret = browser.session["mfa.totp.secret"]
    assert (secret in shown, "otpauth://totp/olga%40example.org" in shown) == (True, True)
    assert browser.post(ACTIVATE, {"code": code_of(secret)}).status_code == 302
    return secret


def test_staff_set_up_a_second_factor_before_the_admin_opens(olga: models.User) -> None:
    browser = signed_in()

    sent = browser.get("/admin/accounts/user/")
    assert sent.headers["Location"] == f"{ACTIVATE}?next=%2Fadmin%2Faccounts%2Fuser%2F"
    secret = set_up(browser)
    sent = browser.get("/admin/")
    assert sent.headers["Location"] == f"{AGAIN}?next=%2Fadmin%2F"
    browser.post(sent.headers["Location"], {"code": code_of(secret)})

    assert browser.get("/admin/").status_code == 200


def test_every_page_of_the_admin_is_closed_without_it(olga: models.User) -> None:
    browser = signed_in()
    ada = services.create_account(email="ada@example.org", password=PASSWORD, actor="command", now=NOW)

    answer = browser.post(
        f"/admin/accounts/user/{ada.pk}/grant-seller/", {"_form_submitted": "True", "reason": "x"}
    )

    assert answer.headers["Location"].startswith(ACTIVATE)
    assert (models.User.objects.get(pk=ada.pk).version, ada.actions.count()) == (ada.version, 0)


def test_a_session_from_before_the_set_up_needs_a_code(olga: models.User) -> None:
    before = signed_in()
    set_up(signed_in())

    assert before.get("/admin/").headers["Location"].startswith(AGAIN)


def test_signing_in_with_a_code_opens_the_admin_and_a_code_counts_once(olga: models.User) -> None:
    secret = set_up(signed_in())
    code = code_of(secret)  # one code, because the moment of the next one may begin meanwhile

    browser = signed_in(code=code)

    assert browser.get("/admin/").status_code == 200
    again = Client()
    again.post("/accounts/login/", {"login": "olga@example.org", "password": PASSWORD})
    again.post("/accounts/2fa/authenticate/", {"code": code})
    assert again.generic("POST", "/api/v1/token").status_code == 401


def test_a_recovery_code_signs_in_once(olga: models.User) -> None:
    browser = signed_in()
    set_up(browser)
    shown = browser.get("/accounts/2fa/recovery-codes/").content.decode()
    [codes] = mfa_models.Authenticator.objects.filter(type="recovery_codes")
    code = codes.wrap().get_unused_codes()[0]
    assert code in shown

    assert signed_in(code=code).generic("POST", "/api/v1/token").status_code == 200
    again = Client()
    again.post("/accounts/login/", {"login": "olga@example.org", "password": PASSWORD})
    again.post("/accounts/2fa/authenticate/", {"code": code})
    assert again.generic("POST", "/api/v1/token").status_code == 401


def test_a_program_needs_the_code(app: App, olga: models.User) -> None:
    secret = set_up(signed_in())

    status, problem = app.post(LOGIN, ADA)
    assert (status, problem["code"]) == (401, "second_factor_needed")
    assert "access_token" not in problem["meta"]
    session = problem["meta"]["session_token"]
    wrong, _ = app.post("/_allauth/app/v1/auth/2fa/authenticate", {"code": "000000"}, session=session)
    right, body = app.post(
        "/_allauth/app/v1/auth/2fa/authenticate", {"code": code_of(secret)}, session=session
    )

    assert (wrong, right) == (400, 200)
    assert body["meta"]["access_token"]


def roles(token: str) -> tuple[str, ...]:
    return tokens.verify(token).roles


def roles_of(browser: Client) -> tuple[str, ...]:
    """The roles in the token that a page gets."""
    return roles(browser.generic("POST", "/api/v1/token").json()["access"])


def test_with_a_password_alone_no_token_has_the_role_operator(
    app: App, make: Make, olga: models.User
) -> None:
    ada = make("ada")
    meta = app.post(LOGIN, ADA)[1]["meta"]
    _, refreshed = app.post("/_allauth/app/v1/tokens/refresh", {"refresh_token": meta["refresh_token"]})

    path, body = f"/api/v1/accounts/{ada.pk}/roles", {"grant": "seller"}
    status, problem = app.post(path, body, token=meta["access_token"])

    for without in (meta["access_token"], refreshed["data"]["access_token"]):
        assert roles(without) == ("bidder",)
    assert roles_of(signed_in()) == ("bidder",)
    assert (status, problem["code"], models.User.objects.get(pk=ada.pk).roles) == (
        403,
        "forbidden",
        ("bidder",),
    )


def test_with_a_code_tokens_have_the_role_operator_also_after_a_refresh(app: App, olga: models.User) -> None:
    secret = set_up(signed_in())
    mfa_models.Authenticator.objects.update(last_used_at=None)
    session = app.post(LOGIN, ADA)[1]["meta"]["session_token"]
    _, body = app.post("/_allauth/app/v1/auth/2fa/authenticate", {"code": code_of(secret)}, session=session)
    _, refreshed = app.post(
        "/_allauth/app/v1/tokens/refresh", {"refresh_token": body["meta"]["refresh_token"]}
    )

    for with_it in (body["meta"]["access_token"], refreshed["data"]["access_token"]):
        assert "operator" in roles(with_it)


def test_the_selling_pages_need_it_of_operators_and_not_of_sellers(make: Make, olga: models.User) -> None:
    make("sam", "seller")
    seller, browser = Client(), signed_in()
    seller.post("/accounts/login/", {"login": "sam@example.org", "password": PASSWORD})

    assert seller.get("/sell").status_code == 200
    assert browser.get("/sell").headers["Location"] == f"{ACTIVATE}?next=%2Fsell"
    secret = set_up(browser)
    again = browser.get("/sell").headers["Location"]
    assert again == f"{AGAIN}?next=%2Fsell"
    browser.post(again, {"code": code_of(secret)})

    assert browser.get("/sell").status_code == 200
    assert "operator" in roles_of(browser)


def test_guesses_at_the_code_are_limited(app: App, olga: models.User) -> None:
    secret = set_up(signed_in())
    session = app.post(LOGIN, ADA)[1]["meta"]["session_token"]
    path = "/_allauth/app/v1/auth/2fa/authenticate"

    for _ in range(5):
        assert app.post(path, {"code": "000000"}, session=session)[0] == 400

    assert app.post(path, {"code": code_of(secret)}, session=session)[0] == 400


def test_where_it_is_off_the_admin_opens_and_a_deployment_is_warned(olga: models.User, settings: Any) -> None:
    assert checks.check_second_factor() == []
    settings.STAFF_SECOND_FACTOR = False

    assert signed_in().get("/admin/").status_code == 200
    [warning] = checks.check_second_factor()
    assert (warning.id, warning.level) == ("accounts.W004", django_checks.WARNING)


def test_a_bidder_needs_none(make: Make) -> None:
    make("olga")

    browser = signed_in()

    assert browser.generic("POST", "/api/v1/token").status_code == 200
    assert browser.get("/accounts/2fa/").status_code == 200


def test_the_key_is_stored_encrypted_and_outlives_a_new_secret_key(olga: models.User, settings: Any) -> None:
    secret = set_up(signed_in())
    first = settings.SECRET_KEY
    stored = str(list(mfa_models.Authenticator.objects.values_list("data", flat=True)))
    assert secret not in stored

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another secret of many characters", [first]

    [app] = mfa_models.Authenticator.objects.filter(type="totp")
    assert second_factor.SecondFactorAdapter().decrypt(app.data["secret"]) == secret


def test_an_erasure_takes_it_too(make: Make) -> None:
    ada = make("olga")
    set_up(signed_in())
    assert [row["kind"] for row in personal.export(ada)["second_factor"]] == ["totp", "recovery_codes"]

    personal.erase(user_id=ada.id, reason="x", actor=ada.id, now=NOW)

    assert mfa_models.Authenticator.objects.filter(user=ada).count() == 0
