"""The services of accounts. Each is one transaction on `default`. A change that concerns the other apps is published as
AccountChanged, with the next version, in that transaction and under the lock of the account's row.

`actor` is the id of the user who acts, or a name such as `command`. `reason` is stored with the action.
"""

from collections.abc import Callable, Collection
from datetime import datetime

from allauth.account import models as allauth_models
from django.contrib.auth import hashers
from django.contrib.auth import models as auth_models
from django.db import IntegrityError, transaction

from auction_project.accounts import models, notices, permissions, selectors, sessions
from auction_project.kernel import errors, ids, logs, tokens
from auction_project.kernel.messaging import outbox

FIRST_ROLE = "bidder"

log = logs.get(__name__)


class EmailTaken(errors.Conflict):
    """There is an account with this e-mail address."""


class UnknownRole(errors.Invalid):
    """There is no such role."""


class UnknownGroup(errors.Invalid):
    """There is no such group of the admin."""


class ReasonMissing(errors.Invalid):
    """Give a reason."""


class SuperuserNeeded(errors.Forbidden):
    """Only a superuser can change the account of a colleague."""


class OwnAccount(errors.Forbidden):
    """You can't change the roles or the access of your own account. Ask a colleague."""


# --- by the owner of the account, through allauth ------------------------------------------------------------------


def register_account(*, user: models.User, now: datetime) -> None:
    """Store a new account. Raises EmailTaken."""
    try:
        with transaction.atomic(using=models.DATABASE):
            user.date_joined = now
            user.save(force_insert=True)
            _publish(user, now=now)
    except IntegrityError:
        raise EmailTaken from None


def rehearse_registration(*, now: datetime) -> None:
    """Do the work of a registration and undo it, so that sign-up takes as long for an address that has an account."""
    email = f"{ids.new_id()}@rehearsal.invalid"
    with transaction.atomic(using=models.DATABASE):
        user = models.User(email=email, date_joined=now)
        user.set_password(ids.new_id())
        user.save(force_insert=True)
        _publish(user, now=now)
        allauth_models.EmailAddress.objects.create(user=user, email=email, primary=True)
        transaction.set_rollback(True, using=models.DATABASE)


def confirm_email(*, user_id: str, confirm: Callable[[], bool], now: datetime) -> bool:
    """Let `confirm` mark an address of the user as verified, and publish it. A first verified address makes a bidder.

    Returns the answer of `confirm`. Raises AccountNotFound, EmailTaken.
    """
    try:
        with transaction.atomic(using=models.DATABASE):
            models.User.objects.lock(user_id)
            confirmed = confirm()
            if confirmed:
                user = models.User.objects.lock(user_id)  # read again, because `confirm` stores the address
                _verify(user)
                _publish(user, now=now)
            return confirmed
    except IntegrityError:
        raise EmailTaken from None


def change_password(
    *, user: models.User, password: str | None, now: datetime, notice: str, ip: str = ""
) -> None:
    """Give the account another password (None: none can sign in to it), and end its sessions.

    `user` gets the password, too, so that the session of the request goes on under a new key. `notice` is the template
    of the mail to the owner, and `ip` the address that the change came from. Raises AccountNotFound.
    """
    with transaction.atomic(using=models.DATABASE):
        row = models.User.objects.lock(user.pk)
        row.set_password(password)
        row.save(update_fields=["password"])
        sessions.end_all(user_id=row.pk, reason="password_changed", now=now)
        notices.write(user=row, template=notice, ip=ip, now=now)
    user.password = row.password
    log.info("password_changed", user_id=row.pk)


# --- by others -----------------------------------------------------------------------------------------------------


def create_account(
    *,
    email: str,
    password: str | None,
    roles: Collection[str] = (),
    groups: Collection[str] = (),
    verified: bool = False,
    superuser: bool = False,
    actor: str,
    now: datetime,
) -> models.User:
    """The account of `email`, created or extended. A repeat changes nothing, and nothing is taken away. `password`
    None: no password can sign in to a new account. Another password than that of an account is reported to its owner.

    Raises UnknownRole, UnknownGroup, WrongAccountState.
    """
    _check_names(roles, groups)
    email = email.lower()
    with transaction.atomic(using=models.DATABASE):
        user_id = models.User.objects.filter(email=email).values_list("pk", flat=True).first()
        user = models.User.objects.lock(user_id) if user_id else models.User(email=email, date_joined=now)
        if password is None:
            user.password = user.password or hashers.make_password(None)
        elif not user_id:
            user.set_password(password)
        user.is_superuser |= superuser
        user.is_staff |= superuser or bool(groups)
        user.save()
        if password is not None and not user.check_password(password):
            change_password(user=user, password=password, now=now, notice=notices.PASSWORD_SET_BY_STAFF)
        address, _ = allauth_models.EmailAddress.objects.get_or_create(
            user=user, email=email, defaults={"primary": True}
        )
        changed = not user_id
        if verified and not address.verified:
            address.set_verified()
            changed |= _verify(user)
        for role in roles:
            if user.add_role(role):
                changed = True
                _record(user, models.Act.ROLE_GRANTED, role, reason="Account created.", actor=actor, now=now)
        for group in groups:
            if user.join(group):
                _record(
                    user,
                    models.Act.DESK_CHANGED,
                    f"+{group}",
                    reason="Account created.",
                    actor=actor,
                    now=now,
                )
        if changed:
            _publish(user, now=now)
    return user


def grant_role(*, user_id: str, role: str, reason: str, actor: str, now: datetime) -> models.User:
    """Give `role` to the account. If it has the role already, nothing changes.

    Raises AccountNotFound, UnknownRole, WrongAccountState, ReasonMissing, SuperuserNeeded, OwnAccount.
    """
    _check_names([role], [])
    with transaction.atomic(using=models.DATABASE):
        user = models.User.objects.lock(user_id)
        _check_rank(user, actor=actor, role=role)
        if user.add_role(role):
            _record(user, models.Act.ROLE_GRANTED, role, reason=reason, actor=actor, now=now)
            _publish(user, now=now)
    return user


def revoke_role(*, user_id: str, role: str, reason: str, actor: str, now: datetime) -> models.User:
    """Take `role` from the account. If it does not have the role, nothing changes.

    Raises AccountNotFound, UnknownRole, ReasonMissing, SuperuserNeeded, OwnAccount.
    """
    _check_names([role], [])
    with transaction.atomic(using=models.DATABASE):
        user = models.User.objects.lock(user_id)
        _check_rank(user, actor=actor, role=role)
        if user.leave(role):
            _record(user, models.Act.ROLE_REVOKED, role, reason=reason, actor=actor, now=now)
            _publish(user, now=now)
    return user


def bar_account(*, user_id: str, reason: str, actor: str, now: datetime) -> models.User:
    """Suspend the account until it is reinstated.

    Raises AccountNotFound, WrongAccountState, ReasonMissing, SuperuserNeeded, OwnAccount.
    """
    return _move(user_id, models.State.BARRED, models.Act.BARRED, reason=reason, actor=actor, now=now)


def reinstate_account(*, user_id: str, reason: str, actor: str, now: datetime) -> models.User:
    """End the suspension of an account.

    Raises AccountNotFound, WrongAccountState, ReasonMissing, SuperuserNeeded, OwnAccount.
    """
    return _move(user_id, models.State.ACTIVE, models.Act.REINSTATED, reason=reason, actor=actor, now=now)


def close_account(*, user_id: str, reason: str, actor: str, now: datetime) -> models.User:
    """Close the account for good.

    Raises AccountNotFound, WrongAccountState, ReasonMissing, SuperuserNeeded, OwnAccount.
    """
    return _move(user_id, models.State.CLOSED, models.Act.CLOSED, reason=reason, actor=actor, now=now)


def assign_admin_groups(
    *, user_id: str, groups: Collection[str], reason: str, actor: str, now: datetime
) -> models.User:
    """Make `groups` the account's groups in the admin. Without a group only a superuser may enter the admin.

    Raises AccountNotFound, UnknownGroup, ReasonMissing, SuperuserNeeded.
    """
    _check_names([], groups)
    with transaction.atomic(using=models.DATABASE):
        user = models.User.objects.lock(user_id)
        if not _may_do_all(actor):
            raise SuperuserNeeded("Only a superuser can change who may enter the admin.")
        changes = [f"+{name}" for name in permissions.GROUPS if name in groups and user.join(name)]
        changes += [f"-{name}" for name in permissions.GROUPS if name not in groups and user.leave(name)]
        if changes:
            user.is_staff = user.is_superuser or bool(groups)
            user.save(update_fields=["is_staff"])
            _record(user, models.Act.DESK_CHANGED, " ".join(changes), reason=reason, actor=actor, now=now)
    return user


def sync_group_permissions() -> list[str]:
    """Give each group exactly the permissions of the table; the names of those that do not exist.

    Runs after all migrations: Django makes the permissions of every app on `default` when that database is migrated.
    """
    missing: list[str] = []
    with transaction.atomic(using=models.DATABASE):
        for name, rights in permissions.GROUPS.items():
            group, _ = auth_models.Group.objects.get_or_create(name=name)
            rows = list(selectors.list_group_permissions(name).select_related("content_type"))
            group.permissions.set(rows)
            existing = {f"{row.content_type.app_label}.{row.codename}" for row in rows}
            missing += [permission for permission in rights.may if permission not in existing]
    return missing


# --- inside --------------------------------------------------------------------------------------------------------


def _may_do_all(actor: str) -> bool:
    """Whether `actor` is an active superuser, or a name such as `command`: a person at the console of the server."""
    if not ids.is_id(actor):
        return True
    return models.User.objects.filter(pk=actor, is_superuser=True, state=models.State.ACTIVE).exists()


def _check_rank(user: models.User, *, actor: str, role: str = "") -> None:
    """Operators act on customers: not on themselves, not on colleagues, and they cannot grant the role operator.

    Raises SuperuserNeeded, OwnAccount.
    """
    if _may_do_all(actor):
        return
    if user.id == actor:
        raise OwnAccount
    if user.is_colleague:
        raise SuperuserNeeded
    if role == models.OPERATOR:
        raise SuperuserNeeded("Only a superuser can grant or revoke the role operator.")


def _move(
    user_id: str, state: models.State, act: models.Act, *, reason: str, actor: str, now: datetime
) -> models.User:
    with transaction.atomic(using=models.DATABASE):
        user = models.User.objects.lock(user_id)
        if user.id == actor:
            raise OwnAccount
        _check_rank(user, actor=actor)
        user.move_to(state)
        _record(user, act, "", reason=reason, actor=actor, now=now)
        _publish(user, now=now)
        if not user.is_active:
            sessions.end_all(user_id=user.pk, reason=state.lower(), now=now)
    log.info("account_moved", user_id=user.id, state=user.state, actor=actor)
    return user


def _verify(user: models.User) -> bool:
    """Make the owner of a first verified address a bidder; whether it is the first."""
    if user.email_verified:
        return False
    user.email_verified = True
    user.save(update_fields=["email_verified"])
    user.join(FIRST_ROLE)
    return True


def _publish(user: models.User, *, now: datetime) -> None:
    event = user.bump_version()
    outbox.publish(models.Outbox, event, now=now, version=event.version)


def _record(
    user: models.User, act: models.Act, detail: str, *, reason: str, actor: str, now: datetime
) -> None:
    """Raises ReasonMissing."""
    if not reason.strip():
        raise ReasonMissing(field="reason")
    models.AccountAction.record(
        user=user, act=act, detail=detail, reason=reason.strip(), actor=actor, now=now
    )


def _check_names(roles: Collection[str], groups: Collection[str]) -> None:
    """Raises UnknownRole, UnknownGroup."""
    for role in roles:
        if role not in tokens.ROLES:
            raise UnknownRole(f"The roles are {', '.join(tokens.ROLES)}.", field="role")
    for group in groups:
        if group not in permissions.GROUPS:
            raise UnknownGroup(f"The groups are {', '.join(permissions.GROUPS)}.", field="group")
