"""Accounts in the admin: read-only, and each change is an action with a reason that calls a service.

Nothing is added, edited or deleted here. The only form that writes is Django's own for a new password, for superusers.
The login of the admin is allauth's, with its limits on attempts.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from allauth.account import decorators as allauth_decorators
from allauth.account import models as allauth_models
from allauth.mfa import models as mfa_models
from allauth.usersessions import models as usersession_models
from django import forms
from django.apps import apps
from django.contrib import admin, messages
from django.contrib.auth import admin as auth_admin
from django.contrib.auth import models as auth_models
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from unfold import admin as unfold_admin
from unfold import decorators as unfold
from unfold import forms as unfold_forms
from unfold import widgets

from auction_project.accounts import models, notices, permissions, personal, selectors, services
from auction_project.kernel import admin as base_admin
from auction_project.kernel import errors, ids

SHOWN_CHARACTERS = 8  # of the hash of a device

admin.site.login = allauth_decorators.secure_admin_login(admin.site.login)
admin.site.index_title = "Overview"
apps.get_app_config("auth").verbose_name = "Permissions"
admin.site.unregister(auth_models.Group)
admin.site.unregister(allauth_models.EmailAddress)
admin.site.unregister(usersession_models.UserSession)
admin.site.unregister(mfa_models.Authenticator)


class GroupsForm(base_admin.ReasonForm):
    """Chooses the groups of an account. Its present groups are ticked."""

    groups = forms.MultipleChoiceField(
        choices=[(name, name) for name in permissions.GROUPS],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    field_order = ("groups", "reason")

    def __init__(self, request: HttpRequest, object_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(request, object_id, **kwargs)
        account = models.User.objects.filter(pk=object_id).first()
        self.initial["groups"] = selectors.get_admin_groups(account) if account else ()


class CloseForm(base_admin.ReasonForm):
    """Has the operator type the address of the account, because a closed account never opens again."""

    email = forms.CharField(
        label="Type the e-mail address of this account", widget=widgets.UnfoldAdminTextInputWidget
    )

    def __init__(self, request: HttpRequest, object_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(request, object_id, **kwargs)
        self._object_id = object_id

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"].strip().lower()
        if not models.User.objects.filter(pk=self._object_id, email=email).exists():
            raise forms.ValidationError("This is not the address of this account.")
        return email


class PasswordForm(unfold_forms.AdminPasswordChangeForm):
    """Django's form, but the password goes through the service, which ends the sessions of the account and writes to
    its owner."""

    def save(self, commit: bool = True) -> models.User:
        password = self.cleaned_data["password1"] if self.cleaned_data["set_usable_password"] else None
        services.change_password(
            user=self.user, password=password, now=timezone.now(), notice=notices.PASSWORD_SET_BY_STAFF
        )
        return self.user


class ActionInline(base_admin.ReadOnly, unfold_admin.TabularInline):
    model = models.AccountAction
    fields = ("at", "act", "detail", "reason", "by")
    readonly_fields = fields
    people = ("actor",)
    extra = 0
    verbose_name_plural = "account history"

    by = base_admin.person("actor", "by")


class SightingInline(base_admin.ReadOnly, unfold_admin.TabularInline):
    """What it was made of is not known here; equal beginnings are the same device or network."""

    model = models.Sighting
    fields = ("kind", "known_by", "first_seen_at", "last_seen_at")
    readonly_fields = fields
    extra = 0
    verbose_name_plural = "where it signed in"

    @admin.display(description="known by")
    def known_by(self, sighting: models.Sighting) -> str:
        return f"{sighting.hash[:SHOWN_CHARACTERS]}…"


@admin.register(models.PersonalDataView)
class PersonalDataViewAdmin(base_admin.NamesPeople, base_admin.ReadOnly, unfold_admin.ModelAdmin):
    """Who looked at whose personal data. For superusers alone."""

    list_display = ("at", "by", "page", "of", "query")
    list_filter = ("page",)
    search_fields = ("=actor", "=subject")
    search_help_text = "E-mail address or id, of the one who looked or whose data it was"
    fields = list_display
    readonly_fields = fields
    people = ("actor", "subject")

    by = base_admin.person("actor", "by")
    of = base_admin.person("subject", "of")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return bool(request.user.is_superuser)


@admin.register(auth_models.Group)
class GroupAdmin(base_admin.ReadOnly, unfold_admin.ModelAdmin):
    """What each group may do, as `permissions.py` says."""

    fields = ("name", "permissions")
    filter_horizontal = ("permissions",)


@admin.register(models.User)
class AccountAdmin(base_admin.NamesPeople, base_admin.Lookups, auth_admin.UserAdmin, unfold_admin.ModelAdmin):
    change_password_form = PasswordForm
    list_display = ("email", "state", "email_verified", "roles", "is_staff", "date_joined")
    list_filter = ("state", "email_verified", "groups", "is_staff")
    search_fields = ("email", "id")
    ordering = ("-date_joined",)
    fieldsets = (
        (None, {"fields": ("id", "email", "email_verified", "state", "roles")}),
        ("Admin access", {"fields": ("admin_groups", "is_staff", "is_superuser")}),
        ("Dates", {"fields": ("date_joined", "last_login")}),
    )
    filter_horizontal = ()
    inlines: ClassVar[list[Any]] = [ActionInline, SightingInline]
    actions = None
    actions_detail: ClassVar[list[Any]] = [
        "grant_seller",
        "revoke_seller",
        "bar_account",
        "reinstate_account",
        {"title": "More", "items": ["assign_admin_groups", "close_account", "erase_account"]},
    ]

    @admin.display(description="roles")
    def roles(self, account: models.User) -> str:
        return ", ".join(account.roles)

    @admin.display(description="groups")
    def admin_groups(self, account: models.User) -> str:
        return ", ".join(selectors.get_admin_groups(account)) or "none"

    # --- what is read-only ---------------------------------------------------------------------------------------

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """For Django's form for a new password, because all other fields are read-only."""
        return bool(request.user.is_superuser)

    def has_superuser_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.is_superuser)

    def get_readonly_fields(self, request: HttpRequest, obj: object = None) -> list[str]:
        return [name for _, options in self.fieldsets for name in options["fields"]]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Without the buttons that save."""
        context |= {"show_save": False, "show_save_and_continue": False}
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: models.User, form: Any, change: bool) -> None:
        """There is no field to save; saving the row would write over what a service has changed meanwhile."""

    # --- who looked ----------------------------------------------------------------------------------------------

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self._record_look(request, "accounts")
        return super().changelist_view(request, *args, **kwargs)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        self._record_look(request, "account", object_id)
        return super().changeform_view(request, object_id, *args, **kwargs)

    def history_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        self._record_look(request, "history", object_id)
        return super().history_view(request, object_id, *args, **kwargs)

    def user_change_password(self, request: HttpRequest, id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        self._record_look(request, "password", id)
        return super().user_change_password(request, id, *args, **kwargs)

    def _record_look(self, request: HttpRequest, page: str, object_id: str | None = None) -> None:
        if self.has_view_permission(request):
            personal.record_look(
                actor=request.user.pk,
                page=page,
                subject=object_id if object_id and ids.is_id(object_id) else "",
                query=request.META["QUERY_STRING"],
                now=timezone.now(),
            )

    # --- permissions (methods: a system check would look for a codename before it is migrated) ---

    def has_grant_seller_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("accounts.grant_seller"))

    def has_bar_account_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("accounts.bar_account"))

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Only what changes this account as it is now. An action that comes too late is refused by its service."""
        account = self.get_object(request, object_id)
        if account is None:
            return []
        possible = _possible_actions(account)
        return [
            action
            for action in super().get_actions_detail(request, object_id)
            if action.method.original_function_name in possible
        ]

    # --- actions -------------------------------------------------------------------------------------------------

    @unfold.action(
        description="Grant seller",
        url_path="grant-seller",
        permissions=["grant_seller"],
        dialog=base_admin.dialog("Grant seller", "The account can list its own products."),
    )
    def grant_seller(self, request: HttpRequest, form: base_admin.ReasonForm, object_id: str) -> HttpResponse:
        return self._act(request, object_id, services.grant_role, form, role="seller")

    @unfold.action(
        description="Revoke seller",
        url_path="revoke-seller",
        permissions=["grant_seller"],
        dialog=base_admin.dialog(
            "Revoke seller", "The account can list nothing new. Its open lots stay open."
        ),
    )
    def revoke_seller(
        self, request: HttpRequest, form: base_admin.ReasonForm, object_id: str
    ) -> HttpResponse:
        return self._act(request, object_id, services.revoke_role, form, role="seller")

    @unfold.action(
        description="Suspend",
        url_path="bar",
        permissions=["bar_account"],
        dialog=base_admin.dialog(
            "Suspend",
            "The account can't sign in, and stops bidding within five minutes. You can reinstate it.",
        ),
    )
    def bar_account(self, request: HttpRequest, form: base_admin.ReasonForm, object_id: str) -> HttpResponse:
        return self._act(request, object_id, services.bar_account, form)

    @unfold.action(
        description="Reinstate",
        url_path="reinstate",
        permissions=["bar_account"],
        dialog=base_admin.dialog("Reinstate", "A suspended account can sign in again."),
    )
    def reinstate_account(
        self, request: HttpRequest, form: base_admin.ReasonForm, object_id: str
    ) -> HttpResponse:
        return self._act(request, object_id, services.reinstate_account, form)

    @unfold.action(
        description="Close account for good",
        url_path="close",
        permissions=["bar_account"],
        dialog=base_admin.dialog(
            "Close account for good", "You can't undo this: a closed account never opens again.", CloseForm
        ),
    )
    def close_account(self, request: HttpRequest, form: CloseForm, object_id: str) -> HttpResponse:
        return self._act(request, object_id, services.close_account, form)

    @unfold.action(
        description="Change admin access",
        url_path="desk-groups",
        permissions=["superuser"],
        dialog=base_admin.dialog("Change admin access", "What the account can do in this admin.", GroupsForm),
    )
    def assign_admin_groups(self, request: HttpRequest, form: GroupsForm, object_id: str) -> HttpResponse:
        return self._act(
            request, object_id, services.assign_admin_groups, form, groups=form.cleaned_data["groups"]
        )

    @unfold.action(
        description="Erase personal data",
        url_path="erase",
        permissions=["bar_account"],
        dialog=base_admin.dialog(
            "Erase personal data",
            "You can't undo this: the account is closed, and its address and sign-in are deleted. Orders stay.",
            CloseForm,
        ),
    )
    def erase_account(self, request: HttpRequest, form: CloseForm, object_id: str) -> HttpResponse:
        return self._act(request, object_id, personal.erase, form)

    def _act(
        self,
        request: HttpRequest,
        user_id: str,
        service: Callable[..., Any],
        form: base_admin.ReasonForm,
        **arguments: Any,
    ) -> HttpResponse:
        """Call the service, show whether it did its work, and reload the page of the account (by htmx)."""
        try:
            service(
                user_id=user_id,
                reason=form.cleaned_data["reason"],
                actor=request.user.pk,
                now=timezone.now(),
                **arguments,
            )
        except errors.DomainError as error:
            messages.error(request, error.detail)
        else:
            messages.success(request, "Done.")
        return HttpResponse(headers={"HX-Redirect": reverse("admin:accounts_user_change", args=[user_id])})


def _possible_actions(account: models.User) -> set[str]:
    """The names of the actions that would change the account as it is now."""
    is_seller: bool = account.groups.filter(name="seller").exists()
    is_closed = account.state == models.State.CLOSED
    possible = {
        "grant_seller": account.is_active and not is_seller,
        "revoke_seller": is_seller,
        "bar_account": account.state == models.State.ACTIVE,
        "reinstate_account": account.state == models.State.BARRED,
        "assign_admin_groups": not is_closed,
        "close_account": not is_closed,
        "erase_account": not account.is_erased,
    }
    return {action for action, is_possible in possible.items() if is_possible}
