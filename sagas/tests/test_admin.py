"""The operators' pages: who may see and do what; every command goes through a service, which keeps who gave it."""

import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.utils.module_loading import import_string

from auction_project.kernel import ids, tracing
from sagas import models
from sagas.tests import participants
from sagas.tests.conftest import saga, timeline

pytestmark = pytest.mark.django_db(databases=["default", "sagas"])
LIST = "/admin/sagas/saga/"
COMMANDS = ("retry", "undo", "resume")


@pytest.fixture
def sign_in(client):
    """`sign_in("finance")`: a member of that group at the admin."""

    def sign_in(group):
        # By name, because the apps do not import accounts, and these tests need the groups' real rights.
        import_string("auction_project.accounts.services.sync_group_permissions")()
        user = get_user_model().objects.create_user(f"{ids.new_id()}@example.com", "secret", is_staff=True)
        user.groups.add(Group.objects.get_or_create(name=group)[0])  # a test that commits empties all tables
        client.force_login(user)
        return user

    return sign_in


def page(sale, view="change"):
    return f"{LIST}{sale}/{view}/"


def command(client, sale, name, reason):
    return client.post(page(sale, name), {"_form_submitted": "on", "reason": reason})


@pytest.fixture
def waiting(begin, fake_dispatcher):
    """A saga that waits for the bank."""
    sale = begin("capture_payment=away:1")
    fake_dispatcher.deliver()
    return sale


@pytest.fixture
def parked(begin, fake_dispatcher):
    sale = begin("place_order=refuse refund_payment=refuse")
    fake_dispatcher.deliver()
    return sale


@pytest.mark.parametrize("group", ["auction operator", "finance", "viewer"])
def test_operators_finance_and_viewers_see_the_list_and_the_timeline(client, sign_in, waiting, parked, group):
    sign_in(group)

    listed = client.get(LIST).content.decode()
    shown = client.get(page(parked)).content.decode()

    assert saga(waiting).order_number in listed
    assert saga(parked).order_number in listed
    assert "Reserve the stock" in shown
    assert "Cancel or refund the payment" in shown
    assert "refund_payment was declined" in shown
    assert str(saga(parked).timeline.first()) not in shown


def test_a_saga_links_to_its_trace_where_a_viewer_is_configured(client, sign_in, waiting, settings):
    sign_in("viewer")
    trace_id = tracing.trace_id("from-the-bid")

    assert trace_id not in client.get(page(waiting)).content.decode()

    settings.TRACE_VIEWER_URL = "https://jaeger.example/trace/{trace_id}?a=1&b=<2>"
    shown = client.get(page(waiting)).content.decode()
    assert f'href="https://jaeger.example/trace/{trace_id}?a=1&amp;b=&lt;2&gt;"' in shown


def test_the_cause_of_a_failure_is_said_in_words_and_filters_the_list(client, sign_in, waiting, parked):
    sign_in("viewer")

    listed = client.get(LIST, {"failure_reason": "step_failed"}).content.decode()
    others = client.get(LIST, {"failure_reason": "payment_refused"}).content.decode()
    shown = client.get(page(parked)).content.decode()

    assert saga(parked).failure_reason == "step_failed"
    assert saga(parked).order_number in listed
    assert saga(waiting).order_number not in listed
    assert saga(parked).order_number not in others
    assert "Something went wrong on our side" in listed
    assert "Something went wrong on our side" in shown
    assert ">step_failed<" not in listed + shown


def test_the_timeline_stands_before_all_else(client, sign_in, parked):
    sign_in("viewer")

    shown = client.get(page(parked)).content.decode()

    assert shown.count('aria-label="from +') == models.SagaStep.objects.filter(saga=parked).count()
    assert shown.rindex('aria-label="from +') < shown.lower().index("why it is waiting")


def test_the_timeline_shows_when_each_attempt_was_and_how_long(client, sign_in, parked):
    sign_in("viewer")
    began = saga(parked).created_at
    first = models.SagaStep.objects.filter(saga=parked).order_by("id").first()
    models.SagaStep.objects.filter(pk=first.pk).update(
        started_at=began + timedelta(milliseconds=1_250), finished_at=began + timedelta(milliseconds=3_000)
    )

    shown = client.get(page(parked)).content.decode()

    assert "+1,250 ms" in shown
    assert 'aria-label="from +1,250 ms, 1,750 ms long"' in shown
    bars = [
        (float(x), float(width)) for x, width in re.findall(r'<rect x="([\d.]+)" width="([\d.]+)"', shown)
    ]
    assert len(bars) == models.SagaStep.objects.filter(saga=parked).count()
    assert bars[0][0] + bars[0][1] == pytest.approx(200, abs=0.2)
    assert bars[0][1] / bars[0][0] == pytest.approx(1_750 / 1_250, abs=0.01)


@pytest.mark.parametrize("group", ["stock clerk", "bidder"])
def test_others_see_nothing(client, sign_in, waiting, group):
    sign_in(group)

    assert client.get(LIST).status_code == 403
    assert client.get(page(waiting)).status_code == 403


def test_an_anonymous_client_must_sign_in(client, waiting):
    assert client.get(LIST).status_code == 302
    assert client.get(page(waiting)).status_code == 302
    for name in COMMANDS:
        assert command(client, waiting, name, "because").status_code == 302
    assert timeline(waiting)[-1] == "capture_payment OUTAGE"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_viewer_gives_no_command(client, sign_in, waiting, name):
    sign_in("viewer")
    revision = saga(waiting).revision

    assert command(client, waiting, name, "because").status_code == 403
    assert saga(waiting).revision == revision
    assert page(waiting, name) not in client.get(page(waiting)).content.decode()


def test_an_operator_is_asked_why(client, sign_in, waiting):
    sign_in("auction operator")
    revision = saga(waiting).revision

    for name in COMMANDS:
        assert "Why?" in client.get(page(waiting, name)).content.decode()
        assert client.get(page(waiting, name)).status_code == 200
        assert command(client, waiting, name, "").context["form"].errors

    assert saga(waiting).revision == revision


def test_retry_tries_at_once_and_records_who_and_why(client, sign_in, waiting, fake_dispatcher):
    user = sign_in("auction operator")

    answer = command(client, waiting, "retry", "the bank is back")
    fake_dispatcher.deliver()

    assert answer.headers["HX-Redirect"] == page(waiting)
    line = models.SagaStep.objects.get(event="RETRIED")
    assert (line.who, line.error) == (str(user), "the bank is back")
    assert saga(waiting).status == "COMPLETED"
    assert LogEntry.objects.get().get_change_message() == "Retry: the bank is back"


def test_undo_undoes_the_sale(client, sign_in, waiting, fake_dispatcher):
    sign_in("finance")

    command(client, waiting, "undo", "the lot was damaged")
    fake_dispatcher.deliver()

    assert (saga(waiting).status, saga(waiting).failure_reason) == ("COMPENSATED", "operator")
    assert participants.effects(waiting) == ["assess_risk"]


def test_resume_is_for_parked_sagas_and_a_refusal_is_shown_in_the_form(
    client, sign_in, waiting, parked, fake_dispatcher
):
    sign_in("finance")
    before = saga(waiting).revision

    refused = command(client, waiting, "resume", "go")

    assert "Only a sale that needs attention can be resumed." in refused.content.decode()
    assert saga(waiting).revision == before
    command(client, parked, "resume", "the refund was allowed")
    assert saga(parked).status == "COMPENSATING"


@pytest.fixture
def stuck(begin, fake_dispatcher):
    """A saga that is parked past the point of no return."""
    sale = begin("confirm_order=refuse")
    fake_dispatcher.deliver()
    return sale


def test_the_page_offers_only_what_can_be_done(
    client, sign_in, waiting, parked, stuck, begin, fake_dispatcher
):
    sign_in("auction operator")
    settled = begin()
    fake_dispatcher.deliver()

    def offered(sale):
        shown = client.get(page(sale)).content.decode()
        return [name for name in COMMANDS if page(sale, name) in shown]

    assert offered(waiting) == ["retry", "undo"]
    assert offered(parked) == ["retry", "resume"]
    assert offered(stuck) == ["retry", "resume"]
    assert offered(settled) == []
    models.Saga.objects.filter(pk=waiting).update(version=99)
    assert offered(waiting) == []


def test_undo_works_on_a_parked_saga_before_the_pivot_and_not_past_it(
    client, sign_in, waiting, stuck, fake_dispatcher
):
    sign_in("auction operator")
    models.Saga.objects.filter(pk=waiting).update(status="PARKED", due_at=None, parked_detail="It hangs.")
    before = models.Saga.objects.filter(pk=stuck).values().get()

    assert page(waiting, "undo") in client.get(page(waiting)).content.decode()
    command(client, waiting, "undo", "the lot was damaged")
    refused = command(client, stuck, "undo", "the lot was damaged")
    fake_dispatcher.deliver()

    assert (saga(waiting).status, saga(waiting).parked_detail) == ("COMPENSATED", "")
    assert "cannot be undone any more" in refused.content.decode()
    assert models.Saga.objects.filter(pk=stuck).values().get() == before


def test_the_page_links_to_the_order_the_payment_and_the_lot(client, sign_in, waiting):
    sign_in("viewer")
    shown, row = client.get(page(waiting)).content.decode(), saga(waiting)

    for path in (
        f"/admin/orders/order/{row.order_number}/change/",
        f"/admin/orders/payment/{row.order_number}/change/",
        f"/admin/inventory/product/{row.product_id}/change/",
        f"/auctions/{row.auction_id}",
    ):
        assert f'href="{path}"' in shown
    models.Saga.objects.filter(pk=waiting).update(auction_id="no id")
    assert "no id" in client.get(page(waiting)).content.decode()


def test_the_buyer_is_named_to_those_who_may_view_accounts(client, sign_in, waiting):
    buyer = get_user_model().objects.create_user("ada@example.org", "secret", id=saga(waiting).user_id)
    link = f'href="/admin/accounts/user/{buyer.pk}/change/">ada@example.org</a>'

    sign_in("finance")
    unnamed = client.get(page(waiting)).content.decode()
    sign_in("auction operator")
    named = client.get(page(waiting)).content.decode()

    assert link in named
    assert "ada@example.org" not in unnamed
    assert f"{buyer.pk[:8]}…" in unnamed


def test_the_list_is_filtered_and_searched(client, sign_in, waiting, parked):
    sign_in("viewer")

    def listed(query):
        result = client.get(LIST + query).context["cl"].result_list
        return {row.pk for row in result}

    assert listed("?status__exact=PARKED") == {parked}
    assert listed("?attention=parked") == {parked}
    assert listed("?attention=open") == {waiting}
    assert listed("?attention=failing") == set()
    assert listed("?failure_reason=step_failed") == {parked}
    assert listed(f"?q={saga(waiting).order_number}") == {waiting}
    assert listed(f"?q={saga(parked).auction_id}") == {parked}


def test_a_saga_of_an_unknown_version_is_shown_without_its_step(client, sign_in, waiting):
    sign_in("viewer")
    models.Saga.objects.filter(pk=waiting).update(version=99)

    assert "unknown definition" in client.get(page(waiting)).content.decode()


def test_nothing_is_added_edited_or_deleted(client, sign_in, waiting):
    user = sign_in("auction operator")
    user.is_superuser = True
    user.save()
    before = models.Saga.objects.filter(pk=waiting).values().get()

    assert client.get(f"{LIST}add/").status_code == 403
    assert client.post(page(waiting, "delete"), {"post": "yes"}).status_code == 403
    assert client.post(page(waiting), {"status": "COMPLETED", "price": 1}).status_code in (302, 403)
    client.post(LIST, {"action": "delete_selected", "_selected_action": [waiting], "post": "yes"})

    assert models.Saga.objects.filter(pk=waiting).values().get() == before
