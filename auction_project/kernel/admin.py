"""What the admin's desks share: models that are only looked at, and dialogs, each of whose actions asks for a reason."""

from typing import Any

import django.db
from django import forms
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from unfold import forms as unfold_forms
from unfold import widgets

MAX_REASON_CHARACTERS = 500


class Lookups:
    """A list whose address asks for what no database can compare (the year 0, a number of thirty digits) is shown
    without its filters: Django sees to that for some of them only."""

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        try:
            found: ChangeList = super().get_changelist_instance(request)  # type: ignore[misc]
        except (ValueError, OverflowError, django.db.DataError) as error:
            raise IncorrectLookupParameters(error) from error
        return found


class ReadOnly(Lookups):
    """A model to look at."""

    actions = None

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


class ReasonForm(unfold_forms.BaseDialogForm):
    """Why? It is kept with what was done."""

    reason = forms.CharField(
        max_length=MAX_REASON_CHARACTERS, widget=widgets.UnfoldAdminTextInputWidget, label="Why?"
    )


def dialog(title: str, description: str, form: type[unfold_forms.BaseDialogForm] = ReasonForm) -> Any:
    """A dialog for unfold's `action`; its button says the title, too."""
    return {"title": title, "description": description, "form_class": form, "form_submit_text": title}


def show_again(request: HttpRequest, asked: Any, form: forms.Form) -> HttpResponse:
    """The dialog `asked` with the refusal that `form` has (dialogs are htmx's)."""
    return render(
        request,
        "unfold/helpers/dialog.html",
        {"dialog": asked, "form": form, "form_submit_text": asked["form_submit_text"]},
    )
