"""The rules of accounts: which events are published, who may change whom, and that a refusal changes nothing."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from auction_project.accounts import models, selectors, services
from auction_project.accounts.tests.conftest import NOW, PASSWORD, published
from auction_project.kernel import contracts, tokens

pytestmark = pytest.mark.django_db(databases=["default"])
Make = Callable[..., models.User]


def state_of(user: models.User) -> tuple[object, ...]:
    user = selectors.get_account(user.id)
    groups = sorted(user.groups.values_list("name", flat=True))
    return user.state, user.version, groups, user.is_staff, user.actions.count(), len(published(user.id))


def test_a_new_account_is_published_once_with_all_its_fields(make: Make) -> None:
    ada = make("ada", "seller")

    assert published(ada.id) == [
        (
            1,
            contracts.events.AccountChanged(
                user_id=ada.id,
                version=1,
                email="ada@example.org",
                email_verified=True,
                created_at=1_795_262_400_000,
                roles=("bidder", "seller"),
                closed=False,
            ),
        )
    ]


def test_an_unverified_account_has_no_role(make: Make) -> None:
    ada = make("ada", verified=False)

    assert ada.roles == ()
    assert published(ada.id)[-1][1].email_verified is False


def test_making_an_account_again_changes_nothing(make: Make) -> None:
    ada = make("ada", "seller", groups=["finance"])
    before, password = state_of(ada), selectors.get_account(ada.id).password

    again = make("ada", "seller", groups=["finance"])

    assert again.id == ada.id
    assert state_of(ada) == before
    assert selectors.get_account(ada.id).password == password


def test_an_address_is_the_same_in_capitals(make: Make) -> None:
    ada = make("ada")

    again = services.create_account(email="ADA@Example.ORG", password=PASSWORD, actor="command", now=NOW)

    assert again.id == ada.id


def test_a_granted_role_is_recorded_and_published(make: Make) -> None:
    ada, operator = make("ada"), make("olga", "operator")

    services.grant_role(user_id=ada.id, role="seller", reason="Sells lamps.", actor=operator.id, now=NOW)

    action = models.AccountAction.objects.get(user=ada)
    assert (action.act, action.detail, action.reason, action.actor, action.at) == (
        "ROLE_GRANTED",
        "seller",
        "Sells lamps.",
        operator.id,
        NOW,
    )
    version, event = published(ada.id)[-1]
    assert (version, event.version, event.roles) == (2, 2, ("bidder", "seller"))


def test_a_role_that_is_there_already_is_neither_recorded_nor_published(make: Make) -> None:
    ada = make("ada", "seller")
    before = state_of(ada)

    services.grant_role(user_id=ada.id, role="seller", reason="Again.", actor="command", now=NOW)

    assert state_of(ada) == before


def test_a_revoked_role_is_recorded_and_published(make: Make) -> None:
    ada = make("ada", "seller")

    services.revoke_role(user_id=ada.id, role="seller", reason="Sold fakes.", actor="command", now=NOW)

    assert ada.actions.first().act == "ROLE_REVOKED"
    assert published(ada.id)[-1][1].roles == ("bidder",)


@pytest.mark.parametrize("reason", ["", "  "])
def test_nothing_happens_without_a_reason(make: Make, reason: str) -> None:
    ada = make("ada")
    before = state_of(ada)

    for service, more in (
        (services.grant_role, {"role": "seller"}),
        (services.revoke_role, {"role": "bidder"}),
        (services.bar_account, {}),
        (services.close_account, {}),
        (services.assign_admin_groups, {"groups": ["viewer"]}),
    ):
        with pytest.raises(services.ReasonMissing):
            service(user_id=ada.id, reason=reason, actor="command", now=NOW, **more)

    assert state_of(ada) == before


def test_an_unknown_role_or_group_is_refused(make: Make) -> None:
    ada = make("ada")
    before = state_of(ada)

    with pytest.raises(services.UnknownRole):
        services.grant_role(user_id=ada.id, role="finance", reason="x", actor="command", now=NOW)
    with pytest.raises(services.UnknownGroup):
        services.assign_admin_groups(user_id=ada.id, groups=["bidder"], reason="x", actor="command", now=NOW)

    assert state_of(ada) == before


def test_an_unknown_account_is_not_found() -> None:
    with pytest.raises(models.AccountNotFound):
        services.bar_account(user_id="0" * 32, reason="x", actor="command", now=NOW)


def test_a_barred_account_has_no_roles_until_it_is_reinstated(make: Make) -> None:
    ada = make("ada", "seller")

    services.bar_account(user_id=ada.id, reason="Did not pay.", actor="command", now=NOW)
    barred = published(ada.id)[-1][1]
    services.reinstate_account(user_id=ada.id, reason="Paid.", actor="command", now=NOW)
    back = published(ada.id)[-1][1]

    assert (barred.version, barred.roles, barred.closed) == (2, (), False)
    assert (back.version, back.roles, back.closed) == (3, ("bidder", "seller"), False)
    assert [action.act for action in ada.actions.all()] == ["REINSTATED", "BARRED", "ROLE_GRANTED"]


def test_a_closed_account_is_published_as_closed_and_stays_so(make: Make) -> None:
    ada = make("ada", "seller")
    services.close_account(user_id=ada.id, reason="Asked for.", actor="command", now=NOW)
    before = state_of(ada)

    event = published(ada.id)[-1][1]
    assert (event.roles, event.closed) == ((), True)
    for service in (services.bar_account, services.reinstate_account, services.close_account):
        with pytest.raises(models.WrongAccountState):
            service(user_id=ada.id, reason="x", actor="command", now=NOW)
    with pytest.raises(models.WrongAccountState):
        services.grant_role(user_id=ada.id, role="operator", reason="x", actor="command", now=NOW)
    assert state_of(ada) == before


COLLEAGUES: dict[str, dict[str, Any]] = {
    "an operator": {"roles": ["operator"]},
    "a clerk": {"groups": ["stock clerk"]},
    "an operator of the admin": {"groups": ["auction operator"]},
    "a superuser": {"superuser": True},
}


def acts(user: models.User, actor: models.User) -> dict[str, Callable[[], object]]:
    """Everything that one account can do to another."""
    what = {"user_id": user.id, "reason": "x", "actor": actor.id, "now": NOW}
    return {
        "grant": lambda: services.grant_role(role="seller", **what),
        "revoke": lambda: services.revoke_role(role="bidder", **what),
        "suspend": lambda: services.bar_account(**what),
        "close": lambda: services.close_account(**what),
        "admin access": lambda: services.assign_admin_groups(groups=["finance"], **what),
    }


@pytest.mark.parametrize("colleague", COLLEAGUES.values(), ids=COLLEAGUES.keys())
def test_an_operator_changes_no_colleague(make: Make, colleague: dict[str, Any]) -> None:
    operator = make("olga", "operator", groups=["auction operator"])
    user = make("otto", *colleague.get("roles", ()), **{k: v for k, v in colleague.items() if k != "roles"})
    before = state_of(user)

    for act in acts(user, operator).values():
        with pytest.raises(services.SuperuserNeeded):
            act()

    assert state_of(user) == before


def test_a_suspended_colleague_is_still_one(make: Make) -> None:
    operator, user = make("olga", "operator"), make("otto", "operator")
    services.bar_account(user_id=user.id, reason="x", actor="command", now=NOW)
    before = state_of(user)

    with pytest.raises(services.SuperuserNeeded):
        services.reinstate_account(user_id=user.id, reason="x", actor=operator.id, now=NOW)

    assert state_of(user) == before


@pytest.mark.parametrize("role", tokens.ROLES)
def test_an_operator_grants_nothing_to_the_own_account(make: Make, role: str) -> None:
    operator = make("olga", "operator")
    before = state_of(operator)

    for service in (services.grant_role, services.revoke_role):
        with pytest.raises(services.OwnAccount):
            service(user_id=operator.id, role=role, reason="x", actor=operator.id, now=NOW)

    assert state_of(operator) == before


def test_an_operator_makes_no_operator(make: Make) -> None:
    operator, ada = make("olga", "operator"), make("ada")
    before = state_of(ada)

    with pytest.raises(services.SuperuserNeeded):
        services.grant_role(user_id=ada.id, role="operator", reason="x", actor=operator.id, now=NOW)

    assert state_of(ada) == before


def test_a_superuser_may_change_all_accounts_but_not_close_the_own_one(make: Make) -> None:
    root, other = make("root", superuser=True), make("ruth", superuser=True)

    for act in acts(other, root).values():
        act()
    assert selectors.get_account(other.id).state == "CLOSED"
    services.grant_role(user_id=root.id, role="operator", reason="x", actor=root.id, now=NOW)
    before = state_of(root)
    for service in (services.bar_account, services.close_account):
        with pytest.raises(services.OwnAccount):
            service(user_id=root.id, reason="x", actor=root.id, now=NOW)
    assert state_of(root) == before


def test_a_suspended_superuser_may_change_no_account(make: Make) -> None:
    root, otto = make("root", superuser=True), make("otto", "operator")
    services.bar_account(user_id=root.id, reason="x", actor="command", now=NOW)
    before = state_of(otto)

    with pytest.raises(services.SuperuserNeeded):
        services.bar_account(user_id=otto.id, reason="x", actor=root.id, now=NOW)

    assert state_of(otto) == before


def test_a_group_opens_the_admin_and_its_loss_closes_it(make: Make) -> None:
    ada = make("ada")

    services.assign_admin_groups(
        user_id=ada.id, groups=["finance", "viewer"], reason="New at the till.", actor="command", now=NOW
    )
    assert selectors.get_account(ada.id).is_staff is True
    services.assign_admin_groups(user_id=ada.id, groups=["viewer"], reason="Moved.", actor="command", now=NOW)
    assert selectors.get_account(ada.id).is_staff is True
    services.assign_admin_groups(user_id=ada.id, groups=[], reason="Left.", actor="command", now=NOW)

    ada = selectors.get_account(ada.id)
    assert (ada.is_staff, ada.roles, selectors.get_admin_groups(ada)) == (False, ("bidder",), ())
    assert [action.detail for action in ada.actions.all()] == ["-viewer", "-finance", "+finance +viewer"]


def test_a_change_and_its_event_stand_or_fall_together(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = make("ada")
    before = state_of(ada)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(services.outbox, "publish", fail)
    with pytest.raises(RuntimeError):
        services.close_account(user_id=ada.id, reason="x", actor="command", now=NOW)

    assert state_of(ada) == before


@pytest.mark.parametrize(
    "wrong",
    [{"id": "ADA"}, {"email": "Ada@example.org"}, {"state": "AWAY"}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_the_database_refuses_a_row_that_cannot_be(wrong: dict[str, str]) -> None:
    row = models.User(**{"email": "bob@example.org", "password": "!"} | wrong)

    with pytest.raises(IntegrityError), transaction.atomic(using="default"):
        row.save(force_insert=True)


def test_an_address_that_another_account_verified_meanwhile_changes_nothing(make: Make) -> None:
    ada, bob = make("ada"), make("bob", verified=False)
    before = state_of(bob)

    def confirm() -> bool:
        models.User.objects.filter(pk=bob.id).update(email=ada.email)
        return True

    with pytest.raises(services.EmailTaken):
        services.confirm_email(user_id=bob.id, confirm=confirm, now=NOW)

    assert state_of(bob) == before
    assert selectors.get_account(bob.id).email == "bob@example.org"


def test_what_was_not_confirmed_is_not_published(make: Make) -> None:
    bob = make("bob", verified=False)
    before = state_of(bob)

    assert services.confirm_email(user_id=bob.id, confirm=lambda: False, now=NOW) is False

    assert state_of(bob) == before


def test_without_a_password_none_signs_in_and_no_password_is_taken_away(make: Make) -> None:
    bob = services.create_account(email="bob@example.org", password=None, actor="command", now=NOW)
    ada = make("ada")

    services.create_account(email=ada.email, password=None, actor="command", now=NOW)

    assert selectors.get_account(bob.id).has_usable_password() is False
    assert selectors.get_account(ada.id).check_password(PASSWORD)
