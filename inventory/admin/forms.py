"""What a clerk fills in for each action. The forms check shapes; the services have the rules."""

from collections.abc import Mapping
from typing import Any

import msgspec
from django import forms
from django.http import Http404
from django.utils.html import format_html
from unfold import forms as unfold_forms
from unfold import widgets

from auction_project.kernel import admin as base_admin
from auction_project.kernel import errors, ids
from inventory import models, refusals, selectors

MAX_KEY_CHARACTERS = 64
SHOWN_CHARACTERS = 8


class StockForm(unfold_forms.BaseDialogForm):
    """What every form has: a key, so that a form which is sent twice is one change."""

    FIELD_OF_REFUSAL = "quantity"

    key = forms.CharField(max_length=MAX_KEY_CHARACTERS, widget=forms.HiddenInput)

    def __init__(self, request: Any, object_id: str, **kwargs: Any) -> None:
        super().__init__(request, object_id, **kwargs)
        try:
            selectors.get_product(object_id)
        except errors.NotFound as error:
            raise Http404 from error
        self.initial["key"] = ids.new_id()
        self.on_hand = selectors.units_on_hand(object_id)
        self.names = {warehouse.code: warehouse.name for warehouse in selectors.list_warehouses()}
        self.choices = [(code, f"{name} ({self.on_hand[code]} on hand)") for code, name in self.names.items()]
        for field in self.fields.values():
            if isinstance(field, forms.ChoiceField):
                field.choices = self.choices

    def refuse(self, error: errors.DomainError) -> None:
        """Show a service's refusal beside the field that it is about."""
        self.add_error(error.field if error.field in self.fields else self.FIELD_OF_REFUSAL, error.detail)


def _concerned(entry: Mapping[str, Any]) -> str:
    """A lot or sale that would lose units, in words."""
    loses = f"loses {refusals.units(entry['quantity'])}"
    if entry["order_number"]:
        return f"Order {entry['order_number']} ({entry['title']}) {loses} and is cancelled."
    return format_html(
        'Lot <a class="underline" href="/auctions/{}">{} ({})</a> {}.',
        entry["auction_id"],
        entry["title"],
        entry["auction_id"][:SHOWN_CHARACTERS],
        loses,
    )


def _units(label: str, *, least: int = 1) -> forms.IntegerField:
    return forms.IntegerField(
        label=label, min_value=least, max_value=models.MAX_UNITS, widget=widgets.UnfoldAdminIntegerFieldWidget
    )


def _warehouse(label: str) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, widget=widgets.UnfoldAdminSelectWidget)


def _reason(*, is_required: bool) -> forms.CharField:
    return forms.CharField(max_length=200, required=is_required, widget=widgets.UnfoldAdminTextInputWidget)


class ReceiveForm(StockForm):
    warehouse = _warehouse("Into")
    quantity = _units("Units received")
    reason = _reason(is_required=False)


class TransferForm(StockForm):
    source = _warehouse("From")
    destination = _warehouse("To")
    quantity = _units("Units to move")
    reason = _reason(is_required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["destination"] = list(self.names)[-1]  # the first one is the source's


class AdjustForm(StockForm):
    """Sets the units on hand; `seen` is what the clerk was shown, so a change in between is noticed.

    A count that takes reserved units is refused first, naming the lots; then the clerk confirms just these.
    """

    FIELD_OF_REFUSAL = "counted"

    seen = forms.CharField(max_length=2000, widget=forms.HiddenInput)
    warehouse = _warehouse("Where")
    counted = _units("Units on hand, as counted", least=0)
    reason = _reason(is_required=True)
    confirmation = forms.CharField(max_length=64, required=False, widget=forms.HiddenInput)
    confirmed = forms.BooleanField(
        label="Record the loss. Lots that lose units are cancelled, and bidders read the reason above.",
        required=False,
        widget=forms.HiddenInput,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["seen"] = self._present()
        if self.data.get("confirmation"):
            self._ask_to_confirm()

    def clean_seen(self) -> dict[str, int]:
        try:
            return msgspec.json.decode(self.cleaned_data["seen"], type=dict[str, int])
        except msgspec.MsgspecError as error:
            raise forms.ValidationError("Open this form again.") from error

    def expected(self) -> int:
        """What the clerk was shown for the warehouse."""
        return self.cleaned_data["seen"].get(self.cleaned_data["warehouse"], 0)

    def confirmation_given(self) -> str:
        """The token of the lots that the clerk was shown, if the clerk has confirmed."""
        return self.cleaned_data["confirmation"] if self.cleaned_data["confirmed"] else ""

    def refuse(self, error: errors.DomainError) -> None:
        """From here on the clerk has been shown the present figures and the lots concerned."""
        self.data: Any = self.data.copy()
        self.data["seen"] = self._present()
        self.data.pop("confirmed", None)
        self.data["confirmation"] = error.figures.get("confirmation", "")
        if isinstance(error, refusals.LotsConcerned):
            self._ask_to_confirm()
            self.add_error("confirmed", [error.detail, *map(_concerned, error.figures["lots"])])
        else:
            super().refuse(error)

    def _ask_to_confirm(self) -> None:
        self.fields["confirmed"].widget = widgets.UnfoldBooleanWidget()

    def _present(self) -> str:
        return msgspec.json.encode(self.on_hand).decode()


class ThresholdForm(StockForm):
    FIELD_OF_REFUSAL = "threshold"

    threshold = _units("Alert at or below (0 = never)", least=0)


RECEIVE = base_admin.dialog("Receive", "Units arrive from the supplier.", ReceiveForm)
ADJUST = base_admin.dialog(
    "Adjust",
    "Set the counted quantity. Sold units can't be removed. If reserved ones are missing, you see first which lots lose them.",
    AdjustForm,
)
TRANSFER = base_admin.dialog("Transfer", "Move available units to another warehouse.", TransferForm)
THRESHOLD = base_admin.dialog(
    "Low-stock alert",
    "Alert operators when the available units fall to this number.",
    ThresholdForm,
)
