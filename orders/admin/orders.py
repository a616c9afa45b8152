"""Orders in the admin: what was sold, what became of it, and the acts of staff: ship, deliver, cancel, refund, decide returns, take back."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from unfold import admin as unfold_admin
from unfold import decorators as unfold

from auction_project.kernel import admin as base_admin
from auction_project.kernel import errors, money
from orders import models, presenting, selectors, services
from orders.admin import forms, shared

STATUS_COLOURS = {
    models.OrderFact.Kind.PLACED.label: "info",
    models.OrderFact.Kind.CONFIRMED.label: "success",
    models.OrderFact.Kind.CANCELLED.label: "warning",
    models.OrderFact.Kind.SHIPPED.label: "info",
    models.OrderFact.Kind.DELIVERED.label: "success",
    models.OrderFact.Kind.RETURNED.label: "warning",
    models.OrderFact.Kind.REFUNDED.label: "warning",
}


class StatusFilter(admin.SimpleListFilter):
    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return models.OrderFact.Kind.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[models.Order]) -> QuerySet[models.Order]:
        status = self.value()
        return (
            queryset.filter(pk__in=selectors.list_orders(status=status).values("pk")) if status else queryset
        )


class OrderFactInline(base_admin.ReadOnly, unfold_admin.TabularInline):
    model = models.OrderFact
    fields = ("at", "kind", "detail")
    readonly_fields = fields
    extra = 0
    verbose_name_plural = "what happened"


class ShipmentInline(base_admin.ReadOnly, unfold_admin.TabularInline):
    model = models.Shipment
    fields = ("at", "seller", "carrier", "tracking_number", "arrived", "by")
    readonly_fields = fields
    extra = 0
    people = ("owner_id", "actor")
    verbose_name_plural = "parcels"

    seller = base_admin.person("owner_id", "seller")
    by = base_admin.person("actor", "by")

    @admin.display(description="arrived")
    def arrived(self, shipment: models.Shipment) -> str:
        return base_admin.shown_at(shipment.delivered_at)


class ReturnInline(base_admin.ReadOnly, unfold_admin.TabularInline):
    model = models.Return
    fields = ("at", "units", "reason", "by")
    readonly_fields = fields
    extra = 0
    people = ("actor",)
    verbose_name_plural = "returns"

    by = base_admin.person("actor", "by")

    @admin.display(description="units")
    def units(self, returned: models.Return) -> str:
        lines = returned.lines.select_related("line")
        return ", ".join(f"{line}{' (damaged)' if line.damaged else ''}" for line in lines)


class ReturnRequestInline(base_admin.ReadOnly, unfold_admin.TabularInline):
    model = models.ReturnRequest
    fields = ("at", "units", "seller", "reason", "state", "answer")
    readonly_fields = fields
    extra = 0
    people = ("owner_id",)
    verbose_name_plural = "what the buyer asks to return"

    seller = base_admin.person("owner_id", "seller")

    @admin.display(description="units")
    def units(self, request: models.ReturnRequest) -> str:
        return ", ".join(str(line) for line in request.lines.select_related("line"))

    @admin.display(description="answer")
    def answer(self, request: models.ReturnRequest) -> str:
        return (request.decision.detail if request.decision else "") or "–"


@admin.register(models.Order)
class OrderAdmin(
    shared.ShowsAddress,
    base_admin.NamesPeople,
    base_admin.ReadOnly,
    base_admin.Summed,
    unfold_admin.ModelAdmin,
):
    list_display = ("number", "title", shared.total, "state", "buyer", "placed_at")
    list_filter = (StatusFilter, ("placed_at", base_admin.Days), "currency")
    search_fields = ("number", "sale_id", "user_id", "auction_id", "title")
    search_help_text = "Order number, title, the buyer's e-mail address, or the id of a sale, auction or user"
    people = ("user_id",)
    ordering = ("-placed_at", "number")
    fields = (
        "number",
        "state",
        "title",
        "sold",
        shared.total,
        "payment",
        "refunds",
        "address",
        "risk",
        "placed_at",
        "buyer",
        "sale",
        "auction",
    )
    readonly_fields = fields
    inlines: ClassVar[list[Any]] = [OrderFactInline, ShipmentInline, ReturnRequestInline, ReturnInline]
    actions_detail: ClassVar[list[str]] = [
        "ship",
        "deliver",
        "cancel",
        "refund",
        "decide_return",
        "take_back",
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[models.Order]:
        return super().get_queryset(request).prefetch_related("facts", "lines")

    def figures(self, rows: QuerySet[models.Order]) -> list[tuple[str, str]]:
        return shared.sums(rows)

    buyer = base_admin.person("user_id", "buyer")

    @unfold.display(description="status", label=STATUS_COLOURS)
    def state(self, order: models.Order) -> str:
        return models.OrderFact.Kind(order.status).label

    @admin.display(description="auction")
    def auction(self, order: models.Order) -> str:
        return base_admin.link("auction", order.auction_id, order.auction_id)

    @admin.display(description="lines")
    def sold(self, order: models.Order) -> str:
        lines = [
            (
                line.quantity,
                base_admin.link("admin:inventory_product_change", line.product_id, line.title),
                money.shown(line.amount, order.currency),
            )
            for line in order.lines.all()
        ]
        rows = format_html_join(mark_safe("<br>"), "{} × {}, {}", lines)
        if not order.shipping:
            return rows
        return format_html("{}<br>Shipping, {}", rows, money.shown(order.shipping, order.currency))

    @admin.display(description="payment")
    def payment(self, order: models.Order) -> str:
        payment = selectors.get_payments([order.number]).get(order.number)
        return (
            base_admin.link("admin:orders_payment_change", order.number, payment.get_state_display())
            if payment
            else "none"
        )

    @admin.display(description="refunds")
    def refunds(self, order: models.Order) -> str:
        rows = (
            (money.shown(refund.amount, order.currency), refund.get_state_display().lower(), refund.reason)
            for refund in models.Refund.of_orders([order.number])
        )
        return format_html_join(mark_safe("<br>"), "{}, {}: {}", rows) or "–"

    @admin.display(description="goes to")
    def address(self, order: models.Order) -> str:
        return shared.address(models.OrderAddress.of(order))

    def address_of(self, row: models.Order) -> dict[str, Any] | None:
        return models.OrderAddress.of(row)

    # --- actions

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """The actions that the order's state allows now."""
        viewer = presenting.Viewer(user_id=str(request.user.pk), is_operator=True)
        order = self.get_object(request, object_id)
        payment = selectors.get_payments([object_id]).get(object_id)
        now = timezone.now()
        possible = presenting.possible(order, payment, viewer, now=now) if order is not None else []
        return [
            action for action in super().get_actions_detail(request, object_id) if action.path in possible
        ]

    def has_ship_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("orders.ship_order"))

    def has_cancel_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("orders.cancel_order"))

    def has_refund_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("orders.refund_order"))

    def has_return_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("orders.return_order"))

    @unfold.action(description="Ship", url_path="ship", permissions=["ship"], dialog=forms.SHIP)
    def ship(self, request: HttpRequest, form: forms.ShipForm, object_id: str) -> HttpResponse:
        filled = form.cleaned_data
        return self._act(
            request,
            form,
            forms.SHIP,
            f"{object_id} is with {filled['carrier']}.",
            lambda who: services.ship_order(
                carrier=filled["carrier"], tracking_number=filled["tracking_number"], **who
            ),
        )

    @unfold.action(description="Deliver", url_path="deliver", permissions=["ship"], dialog=forms.DELIVER)
    def deliver(self, request: HttpRequest, form: forms.DeliverForm, object_id: str) -> HttpResponse:
        done = f"{object_id} has arrived."
        return self._act(request, form, forms.DELIVER, done, lambda who: services.deliver_order(**who))

    @unfold.action(description="Cancel order", url_path="cancel", permissions=["cancel"], dialog=forms.CANCEL)
    def cancel(self, request: HttpRequest, form: forms.CancelForm, object_id: str) -> HttpResponse:
        reason = form.cleaned_data["reason"]
        done = f"{object_id} is cancelled; the money is on its way back."
        return self._act(
            request,
            form,
            forms.CANCEL,
            done,
            lambda who: services.cancel_paid_order(reason=reason, **who),
        )

    @unfold.action(description="Refund", url_path="refund", permissions=["refund"], dialog=forms.REFUND)
    def refund(self, request: HttpRequest, form: forms.RefundForm, object_id: str) -> HttpResponse:
        filled = {name: form.cleaned_data[name] for name in ("key", "amount", "reason")}
        done = f"A refund of {object_id} is on its way."
        return self._act(
            request, form, forms.REFUND, done, lambda who: services.refund_order(**filled, **who)
        )

    @unfold.action(description="Return", url_path="return", permissions=["return"], dialog=forms.RETURN)
    def take_back(self, request: HttpRequest, form: forms.ReturnForm, object_id: str) -> HttpResponse:
        filled = {name: form.cleaned_data[name] for name in ("key", "reason")}
        done = f"Units of {object_id} are back."
        return self._act(
            request,
            form,
            forms.RETURN,
            done,
            lambda who: services.return_units(lines=form.returned(), **filled, **who),
        )

    @unfold.action(
        description="Decide return",
        url_path="decide_return",
        permissions=["return"],
        dialog=forms.DECIDE_RETURN,
    )
    def decide_return(
        self, request: HttpRequest, form: forms.DecideReturnForm, object_id: str
    ) -> HttpResponse:
        filled = form.cleaned_data
        accept = filled["decision"] == "accept"
        return self._act(
            request,
            form,
            forms.DECIDE_RETURN,
            f"A return of {object_id} is {'accepted' if accept else 'declined'}.",
            lambda who: services.decide_return(
                request_id=filled["request"], accept=accept, reason=filled["reason"], **who
            ),
        )

    def _act(
        self,
        request: HttpRequest,
        form: forms.OrderForm,
        dialog: Any,
        done: str,
        service: Callable[[dict[str, Any]], object],
    ) -> HttpResponse:
        """Call the service and show the order again, or the form with the refusal."""
        number = form.order.number
        actor = services.Actor(user_id=str(request.user.pk), is_operator=True)
        try:
            service({"order_number": number, "actor": actor, "now": timezone.now()})
        except errors.DomainError as error:
            form.refuse(error)
            return base_admin.show_again(request, dialog, form)
        self.log_change(request, form.order, done)
        messages.success(request, done)
        return HttpResponse(headers={"HX-Redirect": reverse("admin:orders_order_change", args=[number])})

    @admin.display(description="risk")
    def risk(self, order: models.Order) -> str:
        assessment = selectors.get_risk(number=order.number)
        if assessment is None:
            return "not assessed"
        page = base_admin.link("admin:orders_riskassessment_change", order.number, shared.score(assessment))
        return format_html_join(
            mark_safe("<br>"), "{}", ((line,) for line in (page, *shared.reasons(assessment)))
        )

    @admin.display(description="sale")
    def sale(self, order: models.Order) -> str:
        return base_admin.link("admin:sagas_saga_change", order.sale_id, order.sale_id)
