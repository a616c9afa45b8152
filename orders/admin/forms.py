"""What operators and clerks fill in to ship, deliver, cancel, refund and take back an order, and to answer buyers who ask for returns. The
services have the rules."""

from typing import Any

from django import forms
from django.http import Http404
from unfold import forms as unfold_forms
from unfold import widgets

from auction_project.kernel import admin as base_admin
from auction_project.kernel import errors, ids, money
from orders import models, selectors, services

MAX_KEY_CHARACTERS = 64
_TEXT = widgets.UnfoldAdminTextInputWidget


def _reason(label: str = "Why?") -> forms.CharField:
    return forms.CharField(
        max_length=models.MAX_REASON_CHARACTERS, widget=_TEXT, label=f"{label} The buyer reads it."
    )


class OrderForm(unfold_forms.BaseDialogForm):
    """What every form has: the order, and a key, so that a form which is sent twice is one change."""

    FIELD_OF_REFUSAL = "reason"

    key = forms.CharField(max_length=MAX_KEY_CHARACTERS, widget=forms.HiddenInput)

    def __init__(self, request: Any, object_id: str, **kwargs: Any) -> None:
        super().__init__(request, object_id, **kwargs)
        try:
            self.order = selectors.get_order(number=object_id)
        except errors.NotFound as error:
            raise Http404 from error
        self.initial["key"] = ids.new_id()

    def refuse(self, error: errors.DomainError) -> None:
        """Show a service's refusal beside the field that it is about."""
        place = error.field if error.field in self.fields else self.FIELD_OF_REFUSAL
        self.add_error(place if place in self.fields else None, error.detail)


class ShipForm(OrderForm):
    FIELD_OF_REFUSAL = "carrier"

    carrier = forms.CharField(max_length=models.MAX_CARRIER_CHARACTERS, widget=_TEXT)
    tracking_number = forms.CharField(
        max_length=models.MAX_CARRIER_CHARACTERS, widget=_TEXT, required=False, label="Number"
    )


class DeliverForm(OrderForm):
    FIELD_OF_REFUSAL = "sure"

    sure = forms.BooleanField(label="It has arrived", widget=widgets.UnfoldBooleanWidget)


class CancelForm(OrderForm):
    reason = _reason()


class RefundForm(OrderForm):
    FIELD_OF_REFUSAL = "amount"

    amount = forms.CharField(
        max_length=30, widget=_TEXT, required=False, label="Amount (empty: all that is left)"
    )
    reason = _reason()

    def clean_amount(self) -> int | None:
        """In minor units; None for all that is left."""
        text = self.cleaned_data["amount"].strip()
        try:
            return money.parse(text, self.order.currency) if text else None
        except errors.Invalid as error:
            raise forms.ValidationError(error.detail) from error


class ReturnForm(OrderForm):
    """One number of good units and one of damaged units for each line."""

    reason = _reason()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for line in self.order.lines.all():
            for damaged, what in ((False, "came back"), (True, "came back damaged")):
                self.fields[_name(line, damaged=damaged)] = forms.IntegerField(
                    min_value=0,
                    max_value=line.quantity,
                    required=False,
                    label=f"{line.title}: {what} (of {line.quantity})",
                    widget=widgets.UnfoldAdminIntegerFieldWidget,
                )

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if not self.errors and not self.returned():
            raise forms.ValidationError("Say how many units came back.")
        return cleaned

    def returned(self) -> list[services.ReturnedLine]:
        """What came back, line by line."""
        return [
            services.ReturnedLine(product_id=line.product_id, quantity=units, damaged=damaged)
            for line in self.order.lines.all()
            for damaged in (False, True)
            if (units := self.cleaned_data.get(_name(line, damaged=damaged)) or 0)
        ]


class DecideReturnForm(OrderForm):
    """Which request, and whether its units may come back."""

    request = forms.ChoiceField(widget=widgets.UnfoldAdminSelectWidget, label="What the buyer asks to return")
    decision = forms.ChoiceField(
        choices=[("accept", "Accept"), ("decline", "Decline")], widget=widgets.UnfoldAdminSelectWidget
    )
    reason = forms.CharField(
        max_length=models.MAX_REASON_CHARACTERS,
        widget=_TEXT,
        required=False,
        label="What does the buyer read? A decline needs a reason.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["request"].choices = [
            (request.pk, f"{', '.join(str(line) for line in request.lines.all())}: {request.reason}")
            for request in self.order.return_requests.all()
            if request.is_running
        ]


def _name(line: models.OrderLine, *, damaged: bool) -> str:
    return f"line_{line.pk}_{'damaged' if damaged else 'good'}"


SHIP = base_admin.dialog("Ship", "All lines that are not shipped yet are with the carrier.", ShipForm)
DELIVER = base_admin.dialog("Deliver", "All parcels of the order have arrived.", DeliverForm)
CANCEL = base_admin.dialog(
    "Cancel order", "All money goes back to the buyer, and the units are free again.", CancelForm
)
REFUND = base_admin.dialog("Refund", "The money goes back to the buyer's card.", RefundForm)
RETURN = base_admin.dialog(
    "Return",
    "Good units are for sale again; damaged ones are set aside. Money is a refund of its own.",
    ReturnForm,
)
DECIDE_RETURN = base_admin.dialog(
    "Decide return", "The buyer is told. Nothing moves before the units are noted as back.", DecideReturnForm
)
