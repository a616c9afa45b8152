"""The tables of accounts: users, what was done to them and by whom, where they signed in, who looked at personal data, notices,
and the outbox.

Methods of User change the state of an account; their callers hold the lock of its row (`User.objects.lock`). A role is
a Django group of the same name, and only an ACTIVE account has roles. Rows that say what was done are never changed.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any, ClassVar

from django.contrib.auth import models as auth_models
from django.contrib.auth.base_user import BaseUserManager
from django.core.management.base import CommandError
from django.db import models
from django.db.models.functions import Lower

from auction_project.kernel import errors, ids, instants, tokens
from auction_project.kernel.contracts import events
from auction_project.kernel.messaging import outbox

DATABASE = "default"
OPERATOR = "operator"
MAX_QUERY_CHARACTERS = 200
ERASED_DOMAIN = "erased.invalid"


class AccountNotFound(errors.NotFound):
    """There is no such account."""


class WrongAccountState(errors.Conflict):
    """The account is not in a state that allows this."""


class State(models.TextChoices):
    """BARRED: suspended by an operator for a time. CLOSED: for good. Neither can sign in or get a token."""

    ACTIVE = "ACTIVE", "Active"
    BARRED = "BARRED", "Suspended"
    CLOSED = "CLOSED", "Closed"


TRANSITIONS: dict[str, tuple[State, ...]] = {
    State.ACTIVE: (State.BARRED, State.CLOSED),
    State.BARRED: (State.ACTIVE, State.CLOSED),
    State.CLOSED: (),
}


class UserManager(BaseUserManager["User"]):
    """Factories, and the row lock. Its rows come without an event: `services.create_account` informs the other apps,
    too.
    """

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=email.lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, *_arguments: Any, **_fields: Any) -> "User":
        """Refuse `manage.py createsuperuser`, because its row would come without the event for the other apps."""
        raise CommandError("Use: manage.py create_account --email YOU@EXAMPLE.ORG --verified --superuser")

    def lock(self, user_id: str) -> "User":
        """The account with its row locked until the transaction ends. Raises AccountNotFound."""
        return self._one(self.select_for_update(), user_id)

    def find(self, user_id: str) -> "User":
        """The account. Raises AccountNotFound."""
        return self._one(self.all(), user_id)

    def _one(self, rows: "models.QuerySet[User]", user_id: str) -> "User":
        user = rows.filter(pk=user_id).first() if ids.is_id(user_id) else None
        if user is None:
            raise AccountNotFound
        return user


class User(auth_models.AbstractUser):
    """An account with an e-mail address and a password. `version` counts its published changes."""

    username = None
    first_name = None
    last_name = None

    id = models.CharField(primary_key=True, max_length=32, default=ids.new_id, editable=False)
    email = models.EmailField("e-mail address", max_length=254, unique=True)
    email_verified = models.BooleanField("e-mail verified", default=False, editable=False)
    state = models.CharField(max_length=10, choices=State.choices, default=State.ACTIVE, editable=False)
    version = models.PositiveBigIntegerField(default=0, editable=False)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = UserManager()

    class Meta:
        verbose_name = "account"
        ordering = ["-date_joined", "id"]
        permissions = [
            ("bar_account", "Can bar, reinstate and close accounts"),
            ("grant_seller", "Can grant and revoke the role of a seller"),
            ("view_services", "Can see which processes run"),
        ]
        constraints = [
            models.CheckConstraint(
                name="accounts_user_id_is_hex", condition=models.Q(id__regex=f"^{ids.ID_FORM}$")
            ),
            models.CheckConstraint(
                name="accounts_user_email_is_lower", condition=models.Q(email=Lower("email"))
            ),
            models.CheckConstraint(name="accounts_user_state", condition=models.Q(state__in=State.values)),
        ]

    def __str__(self) -> str:
        return self.email

    # --- mutators ------------------------------------------------------------------------------------------------

    def move_to(self, state: State) -> None:
        """Change the state by TRANSITIONS. Raises WrongAccountState."""
        if state not in TRANSITIONS[self.state]:
            raise WrongAccountState(f"The account is {self.get_state_display().lower()}.", state=self.state)
        self.state = state
        self.save(update_fields=["state"])

    def erase(self) -> None:
        """Close the account and delete what identifies the person. The id stays, because orders and bids name it."""
        self.state = State.CLOSED
        self.email = f"{self.id}@{ERASED_DOMAIN}"
        self.email_verified = False
        self.last_login = None
        self.set_unusable_password()
        self.groups.clear()
        self.save(update_fields=["state", "email", "email_verified", "last_login", "password"])

    def add_role(self, role: str) -> bool:
        """Give `role` to the account; whether it is new. Raises WrongAccountState for a closed account."""
        if self.state == State.CLOSED:
            raise WrongAccountState("The account is closed.", state=self.state)
        return self.join(role)

    def join(self, group: str) -> bool:
        """Add the account to `group`; whether it was not in it yet."""
        if self.groups.filter(name=group).exists():
            return False
        self.groups.add(auth_models.Group.objects.get_or_create(name=group)[0])
        return True

    def leave(self, group: str) -> bool:
        """Take the account out of `group`; whether it was in it."""
        row = self.groups.filter(name=group).first()
        if row is not None:
            self.groups.remove(row)
        return row is not None

    def bump_version(self) -> events.AccountChanged:
        """Count one more change; the event with the account as it is now."""
        self.version += 1
        self.save(update_fields=["version"])
        return events.AccountChanged(
            user_id=self.id,
            version=self.version,
            email=self.email,
            email_verified=self.email_verified,
            created_at=instants.of(self.date_joined),
            roles=self.roles,
            closed=self.state == State.CLOSED,
        )

    # --- queries -------------------------------------------------------------------------------------------------

    @property
    def is_active(self) -> bool:
        """Django and allauth sign a user in, and keep them signed in, only while this is true."""
        return self.state == State.ACTIVE

    @property
    def is_erased(self) -> bool:
        return self.email.endswith(f"@{ERASED_DOMAIN}")

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles in force, in the order of `tokens.ROLES`. A barred or closed account has none."""
        if not self.is_active:
            return ()
        held = set(self.groups.values_list("name", flat=True))
        return tuple(role for role in tokens.ROLES if role in held)

    @classmethod
    def are_colleagues(cls) -> models.Q:
        """`is_colleague` as a condition of queries."""
        operators = cls.groups.through.objects.filter(user_id=models.OuterRef("pk"), group__name=OPERATOR)
        return models.Q(is_superuser=True) | models.Q(is_staff=True) | models.Exists(operators)

    @property
    def is_colleague(self) -> bool:
        """Whether this account is a colleague's, and not a customer's. It stays so while it is suspended."""
        return self.is_superuser or self.is_staff or self.groups.filter(name=OPERATOR).exists()

    def get_full_name(self) -> str:
        return self.email

    def get_short_name(self) -> str:
        return self.email.partition("@")[0]


class Act(models.TextChoices):
    """What was done to an account."""

    ROLE_GRANTED = "ROLE_GRANTED", "Role granted"
    ROLE_REVOKED = "ROLE_REVOKED", "Role revoked"
    BARRED = "BARRED", "Suspended"
    REINSTATED = "REINSTATED", "Reinstated"
    CLOSED = "CLOSED", "Closed"
    DESK_CHANGED = "DESK_CHANGED", "Admin access changed"
    ERASED = "ERASED", "Erased"


class AccountAction(models.Model):
    """One action of `actor` (the id of a user, or a name such as `command`) on an account, with its reason."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="actions")
    act = models.CharField(max_length=20, choices=Act.choices)
    detail = models.CharField(max_length=200, blank=True)
    reason = models.CharField(max_length=500)
    actor = models.CharField(max_length=32)
    at = models.DateTimeField()

    class Meta:
        verbose_name = "action on an account"
        verbose_name_plural = "actions on accounts"
        ordering = ["-id"]
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(name="accounts_action_has_reason", condition=~models.Q(reason="")),
            models.CheckConstraint(name="accounts_action_act", condition=models.Q(act__in=Act.values)),
        ]

    def __str__(self) -> str:
        return f"{self.act} {self.detail}".strip()

    @classmethod
    def record(cls, *, user: User, act: Act, detail: str, reason: str, actor: str, now: datetime) -> None:
        """Store one action that happens now."""
        cls.objects.create(user=user, act=act, detail=detail, reason=reason, actor=actor, at=now)


class PersonalDataView(models.Model):
    """One look of a colleague at personal data: `actor` saw the page `page` of the account `subject` (empty for a
    list), with the query string `query`.
    """

    id = models.BigAutoField(primary_key=True)
    actor = models.CharField(max_length=32)
    page = models.CharField(max_length=40)
    subject = models.CharField(max_length=32, blank=True, db_index=True)
    query = models.CharField(max_length=MAX_QUERY_CHARACTERS, blank=True)
    at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = "look at personal data"
        verbose_name_plural = "looks at personal data"
        ordering = ["-id"]
        default_permissions = ()  # so that superusers alone see them

    def __str__(self) -> str:
        return f"{self.actor} {self.page} {self.subject}".strip()


class Notice(models.Model):
    """A security notice that waits to be mailed to `email` (see `notices`). `context` holds JSON values for the
    template.
    """

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    template = models.CharField(max_length=60)
    email = models.EmailField(max_length=254)
    context = models.JSONField()
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()

    class Meta:
        verbose_name = "security notice"
        ordering = ["id"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.template} {self.user_id}"


class Sighting(models.Model):
    """A device or a network from which an account has signed in, as a keyed hash (see `identity`)."""

    class Kind(models.TextChoices):
        DEVICE = "DEVICE", "Device"
        NETWORK = "NETWORK", "Network"

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sightings", db_index=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    hash = models.CharField(max_length=32)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = "device or network"
        verbose_name_plural = "devices and networks"
        ordering = ["-last_seen_at", "-id"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["user", "kind", "hash"], name="accounts_sighting_once"),
            models.CheckConstraint(
                name="accounts_sighting_is_a_hash", condition=models.Q(hash__regex="^[0-9a-f]{32}$")
            ),
            models.CheckConstraint(
                name="accounts_sighting_kind", condition=models.Q(kind__in=["DEVICE", "NETWORK"])
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.hash[:8]}"

    @classmethod
    def see(
        cls,
        *,
        user_id: str,
        kind: "Sighting.Kind",
        newest: str,
        earlier: Collection[str],
        keep: int,
        now: datetime,
    ) -> "Sighting":
        """The sighting of the account with the hash `newest`, seen now. One with a hash of `earlier` becomes it. Of the others,
        `keep` stay in all: the first one, and those seen last."""
        rows = list(cls.objects.filter(user_id=user_id, kind=kind).order_by("first_seen_at", "id"))
        known = [row for row in rows if row.hash in {newest, *earlier}]
        seen = cls(user_id=user_id, kind=kind, hash=newest, first_seen_at=now, last_seen_at=now)
        if known:
            seen = next((row for row in known if row.hash == newest), known[0])
            seen.first_seen_at = known[0].first_seen_at
            seen.hash, seen.last_seen_at = newest, max(now, seen.last_seen_at)
        others = [row for row in rows if row not in known]
        by_last = sorted(others[1:], key=lambda row: row.last_seen_at, reverse=True)
        dropped = [row.pk for row in known if row.pk != seen.pk]
        dropped += [row.pk for row in by_last[keep - 2 :]]
        if dropped:
            cls.objects.filter(pk__in=dropped).delete()
        seen.save()
        return seen


class Outbox(outbox.OutboxRow):
    """The events of accounts: those that wait for the relay, and those that it has published."""
