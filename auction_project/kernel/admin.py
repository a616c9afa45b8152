"""Shared by the admin of all apps: read-only models, lists with sums, and dialogs whose actions ask for a reason."""

from collections.abc import Sequence
from typing import Any

import django.db
from django import forms
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold import forms as unfold_forms
from unfold import widgets

MAX_REASON_CHARACTERS = 500


class Lookups:
    """Shows a list without its filters when its address holds a value that no database can compare, such as the year 0
    or a number of thirty digits. Django does so for some of these values only.
    """

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        try:
            changelist: ChangeList = super().get_changelist_instance(request)  # type: ignore[misc]
        except (ValueError, OverflowError, django.db.DataError) as error:
            raise IncorrectLookupParameters(error) from error
        return changelist


class ReadOnly(Lookups):
    """A model that is shown and never changed, or an inline of one."""

    actions = None
    hide_title = True  # of an inline: the fields of a row say what it is

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


class Summed:
    """Figures above a list, of all rows that its filters and its search leave."""

    list_before_template = "admin/figures.html"

    def figures(self, rows: QuerySet[Any]) -> Sequence[tuple[str, str]]:
        """What, and how much. `rows` have no order."""
        raise NotImplementedError

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response: HttpResponse = super().changelist_view(request, extra_context)  # type: ignore[misc]
        shown = getattr(response, "context_data", None) or {}
        if "cl" in shown:  # not a redirect
            shown["figures"] = self.figures(shown["cl"].queryset.order_by())
        return response


class ReasonForm(unfold_forms.BaseDialogForm):
    """Asks for the reason of an action, which is stored with it."""

    reason = forms.CharField(
        max_length=MAX_REASON_CHARACTERS, widget=widgets.UnfoldAdminTextInputWidget, label="Why?"
    )


def dialog(title: str, description: str, form: type[unfold_forms.BaseDialogForm] = ReasonForm) -> Any:
    """A dialog for unfold's `action`. Its button has the title, too."""
    return {"title": title, "description": description, "form_class": form, "form_submit_text": title}


def show_again(request: HttpRequest, dialog: Any, form: forms.Form) -> HttpResponse:
    """`dialog` once more, with the errors of `form`, as htmx takes it."""
    return render(
        request,
        "unfold/helpers/dialog.html",
        {"dialog": dialog, "form": form, "form_submit_text": dialog["form_submit_text"]},
    )


def link(page: str, key: str, text: str) -> SafeString:
    """A link to another page, which checks its own permissions. Plain text for a key that the page cannot have."""
    try:
        path = reverse(page, args=[key])
    except NoReverseMatch:
        return format_html("{}", text)
    return format_html('<a class="underline" href="{}">{}</a>', path, text)
