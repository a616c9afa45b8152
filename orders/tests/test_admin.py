"""The admin of orders: who may view, that no user changes anything, and the one action."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from auction_project import urls  # noqa: F401 - it loads the apps' admins
from auction_project.kernel import admin as base_admin
from auction_project.kernel import errors
from auction_project.web.pages import sidebar
from orders import models, provider, services
from orders.tests import bank_process, sales, staff

MODELS = [
    models.Order,
    models.Payment,
    models.JournalEntry,
    models.RiskAssessment,
    models.RiskOverride,
]
VIEWS = (
    "view_order",
    "view_orderfact",
    "view_payment",
    "view_paymentfact",
    "view_journalentry",
    "view_posting",
)

pytestmark = pytest.mark.django_db(databases=["default", "orders", "sagas"])


def pages(model: Any, pk: str) -> list[str]:
    name = f"admin:orders_{model._meta.model_name}"
    return [reverse(f"{name}_changelist"), reverse(f"{name}_change", args=[pk])]


def a_row_of(model: Any) -> str:
    sale = sales.sale_with_order()
    sale.assess()
    sale.cancel("The stock is gone.")
    accept(sale.user_id)
    return str(model.objects.latest("pk").pk)


def accept(user_id: str, *, hours: int = 24) -> None:
    services.accept_buyer(
        user_id=user_id, hours=hours, reason="Known from the fair.", actor="c" * 32, now=timezone.now()
    )


@pytest.mark.parametrize("model", MODELS)
def test_a_user_who_may_view_sees_the_list_and_the_row(model: Any) -> None:
    pk = a_row_of(model)
    client = staff.client_with(*VIEWS, "view_riskassessment", "view_riskoverride")

    assert [client.get(page).status_code for page in pages(model, pk)] == [200, 200]


@pytest.mark.parametrize("model", MODELS)
def test_a_user_who_may_not_view_sees_nothing(model: Any) -> None:
    pk = a_row_of(model)
    client = staff.client_with()

    assert [client.get(page).status_code for page in pages(model, pk)] == [403, 403]


@pytest.mark.parametrize("model", MODELS)
def test_not_even_a_superuser_adds_changes_or_deletes(model: Any) -> None:
    pk = a_row_of(model)
    before = list(model.objects.values())
    client = staff.client_with(superuser=True)
    name = f"admin:orders_{model._meta.model_name}"

    assert client.post(reverse(f"{name}_add"), {}).status_code == 403
    assert client.post(reverse(f"{name}_change", args=[pk]), {"title": "x"}).status_code == 403
    assert client.post(reverse(f"{name}_delete", args=[pk]), {"post": "yes"}).status_code == 403
    client.post(
        reverse(f"{name}_changelist"), {"action": "delete_selected", "_selected_action": [pk], "post": "yes"}
    )

    assert list(model.objects.values()) == before


def test_every_registered_model_of_orders_is_read_only() -> None:
    registered = [model for model in admin.site._registry if model._meta.app_label == "orders"]

    others = {models.Award, models.CartLine, models.Checkout}  # test_admin_awards, test_admin_carts
    assert set(registered) == {*MODELS} | others
    for model in registered:
        page = admin.site._registry[model]
        assert isinstance(page, base_admin.ReadOnly)
        assert all(issubclass(inline, base_admin.ReadOnly) for inline in page.inlines)
        assert page.actions is None


def test_the_list_of_orders_filters_by_status_and_shows_money() -> None:
    kept, gone = sales.sale_with_order(), sales.sale_with_order()
    gone.cancel()
    client = staff.client_with(*VIEWS)

    listed = client.get(reverse("admin:orders_order_changelist"), {"status": "CANCELLED"}).content.decode()

    assert gone.order_number in listed
    assert kept.order_number not in listed
    assert "€125.50" in listed


def test_the_journal_shows_money_in_whole_units() -> None:
    sale = sales.sale_with_order()
    client = staff.client_with(*VIEWS)
    listed, shown = pages(models.JournalEntry, str(models.JournalEntry.objects.get().pk))

    row = client.get(listed).content.decode()
    assert "€125.50" in row
    assert "Provider → Buyers" in row
    assert sale.order_number in row
    page = client.get(shown).content.decode()
    assert page.count("125.50") == 3  # the entry, its debit and its credit
    assert "12550" not in page


def figures(html: str) -> dict[str, str]:
    """Those above a list."""
    return dict(re.findall(r"<dt[^>]*>([^<]*)</dt><dd[^>]*>([^<]*)</dd>", html))


@pytest.mark.parametrize("model", [models.Order, models.Payment])
def test_a_list_sums_what_its_filters_leave_in_each_currency(model: Any) -> None:
    sales.sale_with_order(amount=1_234_567_89)
    sales.sale_with_order(amount=11)
    sales.sale_with_order(amount=500, currency="JPY")
    client = staff.client_with(*VIEWS)
    listed = reverse(f"admin:orders_{model._meta.model_name}_changelist")

    assert figures(client.get(listed).content.decode()) == {
        "2 in EUR": "€1,234,568.00",
        "1 in JPY": "¥500",
    }
    assert figures(client.get(listed, {"currency": "JPY"}).content.decode()) == {"1 in JPY": "¥500"}


def test_the_journal_shows_the_balance_of_each_account() -> None:
    sales.sale_with_order(amount=100_00).confirm()
    sales.sale_with_order(amount=20_00)
    client = staff.client_with(*VIEWS)
    listed = reverse("admin:orders_journalentry_changelist")

    assert figures(client.get(listed).content.decode()) == {
        "Buyers, balance": "€20.00 credit",
        "Provider, balance": "€120.00 debit",
        "Sales, balance": "€100.00 credit",
    }
    assert figures(client.get(listed, {"kind": "SALE"}).content.decode()) == {
        "Buyers, balance": "€100.00 debit",
        "Sales, balance": "€100.00 credit",
    }


def test_an_order_and_a_payment_link_to_what_they_are_about() -> None:
    sale = sales.sale_with_order()
    client = staff.client_with(*VIEWS)

    order = client.get(pages(models.Order, sale.order_number)[1]).content.decode()
    payment = client.get(pages(models.Payment, sale.order_number)[1]).content.decode()

    for path in (f"/auctions/{sale.auction_id}", pages(models.Payment, sale.order_number)[1]):
        assert f'href="{path}"' in order
    assert f'href="{pages(models.Order, sale.order_number)[1]}"' in payment


def test_a_payment_of_no_order_links_to_none() -> None:
    sale = sales.new_sale()
    sales.pay(sale)

    payment = staff.client_with(*VIEWS).get(pages(models.Payment, sale.order_number)[1]).content.decode()

    assert "never placed" in payment


def test_the_risk_list_says_passed_or_refused_in_words() -> None:
    passed, refused = sales.new_sale(), sales.new_sale()
    for sale, is_refused in ((passed, False), (refused, True)):
        models.RiskAssessment.objects.create(
            order_number=sale.order_number,
            user_id=sale.user_id,
            amount=100,
            currency="EUR",
            policy=1,
            score=10,
            reasons=[{"rule": "account_age", "points": 10, "detail": "The account is 3 days old."}],
            refused=is_refused,
            at=sales.NOW,
        )
    client = staff.client_with("view_riskassessment")
    path = reverse("admin:orders_riskassessment_changelist")

    def listed(outcome: str) -> str:
        return client.get(path, {"outcome": outcome}).content.decode()

    assert passed.order_number in listed("passed")
    assert refused.order_number not in listed("passed")
    assert refused.order_number in listed("refused")
    page = client.get(path).content.decode()
    assert "icon-no" not in page
    assert "The account is 3 days old." in page
    for sale, word in ((passed, "Passed"), (refused, "Refused")):
        shown = client.get(
            reverse("admin:orders_riskassessment_change", args=[sale.order_number])
        ).content.decode()
        assert word in shown


def test_a_payment_with_an_outcome_offers_nothing_to_settle() -> None:
    paid = sales.sale_with_order()
    client = staff.client_with(*VIEWS, "resolve_payment")
    path = reverse("admin:orders_payment_settle", args=[paid.order_number])

    assert path not in client.get(pages(models.Payment, paid.order_number)[1]).content.decode()


@pytest.mark.django_db(databases=["default", "orders"], transaction=True)
def test_finance_settles_a_hanging_payment_with_a_reason(
    bank: bank_process.BankProcess, sale: sales.Sale
) -> None:
    sale.pay_with(sales.TIMEOUT_NOT_DONE)
    with pytest.raises(errors.Unavailable):
        sale.capture()
    path = reverse("admin:orders_payment_settle", args=[sale.order_number])
    viewer, finance = (
        staff.client_with(*VIEWS),
        staff.client_with(*VIEWS, "resolve_payment", email="finance@example.org"),
    )

    page = finance.get(pages(models.Payment, sale.order_number)[1]).content.decode()
    assert path in page
    assert "Timed out" in page
    refused = viewer.post(path, {"reason": "It hangs.", "_form_submitted": "True"})
    assert (refused.status_code, sale.payment().state) == (403, "STARTED")
    without_reason = finance.post(path, {"reason": "", "_form_submitted": "True"})
    assert (without_reason.status_code, sale.payment().state) == (200, "STARTED")
    settled = finance.post(path, {"reason": "It hangs.", "_form_submitted": "True"})

    assert settled.headers["HX-Redirect"] == reverse("admin:orders_payment_change", args=[sale.order_number])
    assert sale.payment().state == "CANCELLED"
    assert "finance@example.org: It hangs." in models.PaymentFact.objects.get(kind="RESOLVED").detail


@pytest.mark.django_db(databases=["default", "orders"], transaction=True)
def test_finance_reads_why_the_provider_settles_nothing(
    bank: bank_process.BankProcess, sale: sales.Sale, monkeypatch: pytest.MonkeyPatch
) -> None:
    sale.pay_with(sales.TIMEOUT_NOT_DONE)
    with pytest.raises(errors.Unavailable):
        sale.capture()
    finance = staff.client_with(*VIEWS, "resolve_payment")
    path = reverse("admin:orders_payment_settle", args=[sale.order_number])

    def refuse(_bank: provider.PaymentProvider, *, key: str) -> provider.Result:
        raise provider.ProviderFault("POST cancel: 401")

    monkeypatch.setattr(type(provider.current()), "cancel", refuse)
    answer = finance.post(path, {"reason": "It hangs.", "_form_submitted": "True"})

    assert answer.headers["HX-Redirect"] == reverse("admin:orders_payment_change", args=[sale.order_number])
    assert "POST cancel: 401" in finance.get(pages(models.Payment, sale.order_number)[1]).content.decode()
    assert sale.payment().state == "CANCELLING"


# --- risk --------------------------------------------------------------------------------------------------------


def assessed() -> models.RiskAssessment:
    sale = sales.sale_with_order()
    sale.assess()
    return models.RiskAssessment.objects.get()


def decide(client: Client, assessment: models.RiskAssessment, what: str, **data: Any) -> Any:
    path = reverse(f"admin:orders_riskassessment_{what}", args=[assessment.pk])
    return client.post(path, {"reason": "Known from the fair.", "_form_submitted": "True"} | data)


def test_an_order_shows_its_score_the_limit_and_the_reasons() -> None:
    assessment = assessed()

    page = staff.client_with(*VIEWS).get(pages(models.Order, assessment.pk)[1]).content.decode()

    assert "55 (limit 80)" in page
    for line in ("+30 The account is not known yet.", "-5 Paid before: 1."):
        assert line in page


def active(path: str) -> list[str]:
    """The entries of the menu that are marked as the page at `path`."""
    request = RequestFactory().get(path)
    request.user = get_user_model()(email="olga@example.org", is_superuser=True)
    entries = [entry for group in sidebar.navigation(request) for entry in group["items"]]
    return [entry["title"] for entry in entries if entry["active"]]


def test_the_menu_leads_to_the_refused_sales_and_to_the_accepted_buyers() -> None:
    client = staff.client_with("view_riskassessment", "view_riskoverride")
    path = reverse("admin:orders_riskassessment_changelist")

    page = client.get(path).content.decode()

    assert f'href="{path}?outcome=refused"' in page
    assert active(path) == ["Risk assessments"]
    assert active(f"{path}?outcome=refused") == ["Refused sales"]
    assert active(f"{path}?outcome=passed") == ["Risk assessments"]
    assert reverse("admin:orders_riskoverride_changelist") in page


def test_who_may_override_accepts_a_buyer_for_hours_and_ends_it_with_a_reason() -> None:
    assessment = assessed()
    client = staff.client_with("view_riskassessment", "view_riskoverride", "override_risk")
    page = pages(models.RiskAssessment, assessment.pk)[1]
    before = client.get(page).content.decode()
    assert "Accept despite the score" in before
    assert "Let the score decide again" not in before

    answer = decide(client, assessment, "accept_buyer", hours="3")
    row = models.RiskOverride.objects.get()
    shown = client.get(page).content.decode()
    decide(client, assessment, "end_acceptance", reason="Not they.")

    assert answer.headers["HX-Redirect"] == page
    assert (row.user_id, row.reason, row.until - row.at) == (
        assessment.user_id,
        "Known from the fair.",
        timedelta(hours=3),
    )
    assert row.actor == get_user_model().objects.get(email="desk@example.org").pk
    assert "Known from the fair." in shown
    assert "Let the score decide again" in shown
    assert models.RiskOverride.in_force(assessment.user_id, now=timezone.now()) is None
    listed = client.get(reverse("admin:orders_riskoverride_changelist")).content.decode()
    assert listed.index("Not they.") < listed.index("Known from the fair.")


@pytest.mark.parametrize(
    ("codenames", "data", "status"),
    [
        (("view_riskassessment",), {"hours": "3"}, 403),
        (("view_riskassessment", "override_risk"), {"hours": "3", "reason": ""}, 200),
        (("view_riskassessment", "override_risk"), {"hours": "0"}, 200),
        (("view_riskassessment", "override_risk"), {"hours": "400"}, 200),
    ],
)
def test_no_buyer_is_accepted_without_the_right_a_reason_or_a_span(
    codenames: tuple[str, ...], data: dict[str, str], status: int
) -> None:
    assessment = assessed()

    assert decide(staff.client_with(*codenames), assessment, "accept_buyer", **data).status_code == status

    assert models.RiskOverride.objects.count() == 0


def test_no_colleague_accepts_themself() -> None:
    client = staff.client_with("view_riskassessment", "override_risk")
    own = sales.new_sale(user_id=get_user_model().objects.get().pk)
    own.assess()

    decide(client, models.RiskAssessment.objects.get(), "accept_buyer", hours="3")

    assert models.RiskOverride.objects.count() == 0
    page = client.get(pages(models.RiskAssessment, own.order_number)[1]).content.decode()
    assert "Ask a colleague." in page
