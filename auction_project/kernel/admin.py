"""Shared by the admin of all apps: read-only models, lists with sums, filters by the days of the house, ids of accounts shown
as people, and dialogs whose actions ask for a reason."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar

import django.db
from django import forms
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold import forms as unfold_forms
from unfold import widgets

from auction_project.kernel import ids, people

MAX_REASON_CHARACTERS = 500
SHOWN_CHARACTERS = 8  # of the id of an account that the reader may not see


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


class Days(admin.DateFieldListFilter):
    """A filter by days of the house's time zone: today, the last seven, this month, this year, or from one day to another."""

    template = "admin/days_filter.html"

    def __init__(
        self,
        field: Any,
        request: HttpRequest,
        params: dict[str, Any],
        model: Any,
        model_admin: Any,
        field_path: str,
    ) -> None:
        self.from_name, self.to_name = f"{field_path}_from", f"{field_path}_to"
        super().__init__(field, request, params, model, model_admin, field_path)
        self.first, self.last = (
            str((self.used_parameters.pop(name, None) or [""])[-1]) for name in (self.from_name, self.to_name)
        )
        own = {*self.expected_parameters(), "p", "e"}
        lists = request.GET.lists()
        self.others = [(name, value) for name, values in lists if name not in own for value in values]

    def expected_parameters(self) -> list[str]:
        return [*super().expected_parameters(), self.from_name, self.to_name]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Raises IncorrectLookupParameters."""
        rows: QuerySet[Any] = super().queryset(request, queryset)
        try:
            if self.first:
                rows = rows.filter(**{f"{self.field_path}__gte": _midnight(self.first)})
            if self.last:
                rows = rows.filter(**{f"{self.field_path}__lt": _midnight(self.last, days=1)})
        except (ValueError, OverflowError) as error:
            raise IncorrectLookupParameters(error) from error
        return rows


def _midnight(day: str, *, days: int = 0) -> datetime:
    """When this day begins in the house, or that so many days later. Raises ValueError, OverflowError."""
    return timezone.make_aware(
        datetime.combine(date.fromisoformat(day) + timedelta(days=days), time()),
        timezone.get_default_timezone(),
    )


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


class NamesPeople:
    """Shows the accounts whose ids the fields `people` hold, by columns that `person` makes. Those of a list or a page are
    looked up together, when it is shown. An inline names its fields, too, and stands on a page that names people."""

    people: ClassVar[Sequence[str]] = ()

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        changelist: ChangeList = super().get_changelist_instance(request)  # type: ignore[misc]
        self._name(request, ((row, self.people) for row in changelist.result_list), is_list=True)
        return changelist

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        page = [(context["original"], self.people)] if context.get("original") else []
        inlines = [
            (form.instance, getattr(inline.opts, "people", ()))
            for inline in context["inline_admin_formsets"]
            for form in inline.formset.forms
        ]
        self._name(request, page + inlines, is_list=False)
        response: HttpResponse = super().render_change_form(request, context, *args, **kwargs)  # type: ignore[misc]
        return response

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """An address finds what the list would show with it."""
        find = people.directory().find
        words = (
            (find(request, word) or word) if self.people and "@" in word else word
            for word in search_term.split(" ")
        )
        return super().get_search_results(request, queryset, " ".join(words))  # type: ignore[misc]

    def _name(
        self, request: HttpRequest, rows: Iterable[tuple[Any, Sequence[str]]], *, is_list: bool
    ) -> None:
        """Look up the people of the `rows`, each with the names of its fields, and leave the answer on each row."""
        rows = list(rows)
        user_ids = {getattr(row, field) for row, fields in rows for field in fields}
        if account_ids := [user_id for user_id in user_ids if ids.is_id(user_id)]:
            page = str(self.opts.verbose_name_plural if is_list else self.opts.verbose_name)  # type: ignore[attr-defined]
            named = people.directory().look_up(request, account_ids, page=page, is_list=is_list)
            for row, _ in rows:
                row.named_people = named


def person(field: str, description: str) -> Callable[..., str]:
    """A column with the account whose id is in `field`: its address, and a link to its page, where the reader may see them;
    else the beginning of the id. A name such as `command` is shown as it is."""

    @admin.display(description=description, ordering=field)
    def column(_admin: Any, row: Any) -> str:
        user_id: str = getattr(row, field)
        if not ids.is_id(user_id):
            return {ids.HOUSE: "The house", "": "–"}.get(user_id, user_id)
        named: Mapping[str, people.Person] = getattr(row, "named_people", {})
        account = named.get(user_id)
        if account is None:
            return format_html('<span title="{}">{}…</span>', user_id, user_id[:SHOWN_CHARACTERS])
        if not account.has_page:
            return format_html("{}", account.name)
        return link("admin:accounts_user_change", user_id, account.name)

    return column


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


def shown_at(at: datetime | None) -> str:
    """A moment in the house's time zone, which Django writes so for fields alone; a dash without one."""
    return formats.date_format(timezone.localtime(at), "DATETIME_FORMAT") if at else "–"


def link(page: str, key: str, text: str) -> SafeString:
    """A link to another page, which checks its own permissions. Plain text for a key that the page cannot have."""
    try:
        path = reverse(page, args=[key])
    except NoReverseMatch:
        return format_html("{}", text)
    return format_html('<a class="underline" href="{}">{}</a>', path, text)
