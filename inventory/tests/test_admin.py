"""The stock in the admin: what each role sees and may do, that all goes through the services, and who did it."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile

from auction_project.kernel import ids
from inventory import models, selectors, services
from inventory.tests import sales
from inventory.tests.conftest import NOW, figures, in_warehouses, list_lot, published_names, reserve
from inventory.tests.pictures import upload

pytestmark = pytest.mark.django_db(databases=["default", "inventory", "sagas"])
CHANGELISTS = ("product", "move", "reservation", "warehouse")
ACTIONS = ("receive", "adjust", "transfer", "threshold")
LOT, OTHER_LOT = "1" * 32, "2" * 32
DESK_ROLES = ("stock clerk", "auction operator", "viewer")


def address(product, action):
    return f"/admin/inventory/product/{product.id}/{action}/"


def fill(client, product, action, **fields):
    """Open the form, fill it in, send it."""
    form = client.get(address(product, action)).context["form"]
    hidden = {"_form_submitted": "on", "key": form.initial["key"]}
    if "seen" in form.initial:
        hidden["seen"] = form.initial["seen"]
    return client.post(address(product, action), hidden | fields)


def fields_for(action):
    return {
        "receive": {"warehouse": "HARBOUR", "quantity": 3, "reason": "invoice 7"},
        "adjust": {"warehouse": "CENTRAL", "counted": 4, "reason": "one was broken"},
        "transfer": {"source": "CENTRAL", "destination": "HARBOUR", "quantity": 2},
        "threshold": {"threshold": 2},
    }[action]


# --- who sees and does what -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("group", DESK_ROLES)
def test_the_roles_of_the_desk_see_everything(client, sign_in, make_product, group):
    product = make_product(CENTRAL=5)
    reserve(product)
    sign_in(group)

    for name in CHANGELISTS:
        assert client.get(f"/admin/inventory/{name}/").status_code == 200
    assert client.get(f"/admin/inventory/product/{product.id}/change/").status_code == 200
    for model in (models.Move, models.Reservation):
        row = model.objects.first()
        assert client.get(f"/admin/inventory/{model._meta.model_name}/{row.pk}/change/").status_code == 200


def test_the_list_and_the_overview_agree_on_what_is_low(client, sign_in, make_product):
    """A product without a threshold is low, too, when it is depleted while a lot sells it."""
    products = {
        "free": make_product(CENTRAL=2),
        "reserved": make_product(CENTRAL=1),
        "over": make_product(),
        "on sale": make_product(CENTRAL=1),
        "below its threshold": make_product(CENTRAL=1, threshold=3),
        "with nothing and a threshold": make_product(CENTRAL=1, threshold=3),
    }
    reserve(products["reserved"])
    list_lot(products["on sale"], allocate="on_sale")
    for name in ("on sale", "with nothing and a threshold"):
        services.adjust_stock(
            key=ids.new_id(),
            product_id=products[name].id,
            warehouse="CENTRAL",
            counted=0,
            expected=1,
            reason="broken",
            actor="test",
            confirmation=None,
            now=NOW,
        )
    sign_in("stock clerk")
    listed = client.get("/admin/inventory/product/").context["cl"]
    levels = {row.pk: listed.model_admin.level(row) for row in listed.result_list}

    assert {name: levels[product.pk] for name, product in products.items()} == {
        "free": None,
        "reserved": None,
        "over": "Depleted, not on sale",
        "on sale": "Depleted",
        "below its threshold": "Low",
        "with nothing and a threshold": "Depleted",
    }
    short = {products[name].pk for name in ("on sale", "below its threshold", "with nothing and a threshold")}
    assert {row.pk for row in selectors.list_short()} == short
    filtered = client.get("/admin/inventory/product/?stock=low").context["cl"].result_list
    assert {row.pk for row in filtered} == short


@pytest.mark.parametrize("group", ["finance", "bidder", "seller"])
def test_others_see_nothing_of_the_stock(client, sign_in, make_product, group):
    product = make_product(CENTRAL=5)
    sign_in(group)

    for name in CHANGELISTS:
        assert client.get(f"/admin/inventory/{name}/").status_code == 403
    for action in ACTIONS:
        assert client.get(address(product, action)).status_code == 403


def test_nobody_is_sent_to_the_login(client, make_product):
    product = make_product(CENTRAL=5)

    for place in ("/admin/inventory/product/", *(address(product, action) for action in ACTIONS)):
        answer = client.get(place)
        assert (answer.status_code, "login" in answer["Location"]) == (302, True)


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("group", ["auction operator", "viewer"])
def test_a_role_that_only_looks_may_do_nothing(client, sign_in, make_product, group, action):
    product = make_product(CENTRAL=5)
    sign_in(group)

    assert client.get(address(product, action)).status_code == 403
    answer = client.post(address(product, action), {"_form_submitted": "on", "key": "k"} | fields_for(action))

    assert answer.status_code == 403
    assert (figures(product), published_names()) == ({"available": 5}, [])
    page = client.get(f"/admin/inventory/product/{product.id}/change/").content.decode()
    assert address(product, action) not in page


@pytest.mark.parametrize("permission", ["receive_stock", "adjust_stock", "transfer_stock"])
def test_each_action_has_a_permission_of_its_own(client, sign_in, make_product, permission):
    product = make_product(CENTRAL=5)
    user = sign_in("viewer")
    permissions = get_user_model()._meta.get_field("user_permissions").related_model
    user.user_permissions.add(permissions.objects.get(codename=permission))

    allowed = {action for action in ACTIONS if client.get(address(product, action)).status_code == 200}

    assert (
        allowed
        == {
            "receive_stock": {"receive"},
            "adjust_stock": {"adjust", "threshold"},
            "transfer_stock": {"transfer"},
        }[permission]
    )


@pytest.mark.parametrize("group", [None, "stock clerk"])
def test_nothing_can_be_edited_or_deleted_even_by_a_superuser(client, sign_in, make_product, group):
    product = make_product(CENTRAL=5)
    reserve(product)
    sign_in(group)
    rows = [
        product,
        models.Move.objects.first(),
        models.Reservation.objects.first(),
        models.Warehouse.objects.first(),
    ]

    for row in rows:
        place = f"/admin/inventory/{row._meta.model_name}/{row.pk}"
        if row is not product:  # its description may be corrected: see below
            assert client.post(f"{place}/change/", {"title": "Mine", "quantity": 99}).status_code == 403
        assert client.post(f"{place}/delete/", {"post": "yes"}).status_code == 403
        answer = client.post(
            f"/admin/inventory/{row._meta.model_name}/",
            {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"},
        )
        assert answer.status_code in (200, 302)
        assert type(row).objects.filter(pk=row.pk).exists()

    for name in ("move", "reservation", "warehouse"):
        assert client.get(f"/admin/inventory/{name}/add/").status_code == 403
    product.refresh_from_db()
    assert (product.title, figures(product)) == ("Brass sextant", {"available": 4, "reserved": 1})


# --- what a clerk does ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "kind", "central", "harbour"),
    [("receive", "RECEIVE", 5, 3), ("adjust", "ADJUST", 4, 0), ("transfer", "TRANSFER", 3, 2)],
)
def test_a_clerks_action_is_in_the_ledger_the_outbox_and_the_admins_log(
    client, sign_in, make_product, action, kind, central, harbour
):
    product = make_product(CENTRAL=5)
    clerk = sign_in("stock clerk")

    answer = fill(client, product, action, **fields_for(action))

    assert answer["HX-Redirect"] == f"/admin/inventory/product/{product.id}/change/"
    assert in_warehouses(product, "available") == {
        code: units for code, units in (("CENTRAL", central), ("HARBOUR", harbour)) if units
    }
    move = models.Move.objects.first()
    assert (move.kind, move.actor, move.reason) == (kind, clerk.pk, fields_for(action).get("reason", ""))
    assert published_names() == ["StockChanged"]
    entry = LogEntry.objects.get()
    assert (entry.user_id, entry.object_id) == (clerk.pk, product.id)
    assert client.get(f"/admin/inventory/product/{product.id}/history/").status_code == 200


def test_the_threshold_is_set_and_logged(client, sign_in, make_product):
    product = make_product(CENTRAL=2)
    sign_in("stock clerk")

    fill(client, product, "threshold", threshold=2)

    product.refresh_from_db()
    assert (product.low_threshold, product.is_low, published_names()) == (
        2,
        True,
        ["StockChanged", "StockLow"],
    )
    assert LogEntry.objects.get().change_message == "Set the low-stock alert to 2 units."


def test_a_form_that_is_sent_twice_is_one_change(client, sign_in, make_product):
    product = make_product()
    sign_in("stock clerk")
    key = client.get(address(product, "receive")).context["form"].initial["key"]

    for _ in range(2):
        client.post(
            address(product, "receive"), {"_form_submitted": "on", "key": key} | fields_for("receive")
        )

    assert figures(product) == {"available": 3}


def test_a_form_that_is_sent_again_with_other_figures_shows_what_it_did(client, sign_in, make_product):
    product = make_product()
    sign_in("stock clerk")
    sent = {"_form_submitted": "on", "key": "k"} | fields_for("receive")
    client.post(address(product, "receive"), sent)

    answer = client.post(address(product, "receive"), sent | {"quantity": 7})

    assert "This form was sent before, with other figures." in answer.content.decode()
    assert figures(product) == {"available": 3}
    assert LogEntry.objects.count() == 1


def test_a_stale_adjustment_shows_the_present_figure_and_can_be_sent_again(client, sign_in, make_product):
    product = make_product(CENTRAL=5)
    sign_in("stock clerk")
    form = client.get(address(product, "adjust")).context["form"]
    hidden = {"_form_submitted": "on", "key": form.initial["key"], "seen": form.initial["seen"]}
    services.receive_stock(
        key="x", product_id=product.id, warehouse="CENTRAL", quantity=2, actor="other", now=NOW
    )

    answer = client.post(address(product, "adjust"), hidden | fields_for("adjust"))

    assert (answer.status_code, figures(product)) == (200, {"available": 7})
    assert "The stock has changed since you looked: 7 units on hand now, not 5." in answer.content.decode()
    again = answer.context["form"]
    hidden["seen"] = again["seen"].value()
    client.post(address(product, "adjust"), hidden | fields_for("adjust"))
    assert figures(product) == {"available": 4}
    assert LogEntry.objects.count() == 1


@pytest.mark.parametrize(
    ("action", "changes", "text"),
    [
        ("receive", {"quantity": 0}, "greater than or equal to 1"),
        ("receive", {"quantity": "NaN"}, "whole number"),
        ("receive", {"warehouse": "MOON"}, "not one of the available choices"),
        ("adjust", {"reason": ""}, "required"),
        ("adjust", {"counted": -1}, "greater than or equal to 0"),
        ("adjust", {"seen": "{"}, "required"),
        ("transfer", {"quantity": 6}, "Only 5 units are available in Central warehouse; you asked for 6."),
        ("transfer", {"destination": "CENTRAL"}, "two different warehouses"),
    ],
)
def test_a_refused_form_says_why_and_changes_nothing(client, sign_in, make_product, action, changes, text):
    product = make_product(CENTRAL=5)
    sign_in("stock clerk")

    answer = fill(client, product, action, **fields_for(action) | changes)

    assert answer.status_code == 200
    if "seen" not in changes:
        assert text in answer.content.decode()
    assert (figures(product), published_names(), LogEntry.objects.count()) == ({"available": 5}, [], 0)


def lots_of(client):
    page = client.get("/admin/inventory/reservation/")
    return [row.holder for row in page.context["cl"].result_list], page.content.decode()


def test_a_count_that_takes_reserved_units_names_the_lots_and_is_done_when_confirmed(
    client, sign_in, make_product
):
    product = make_product(CENTRAL=3)
    list_lot(product, LOT)
    reserve(product, f"{OTHER_LOT}-7")
    models.Outbox.objects.all().delete()
    sign_in("stock clerk")
    form = client.get(address(product, "adjust")).context["form"]
    sent = {"_form_submitted": "on", "key": form.initial["key"], "seen": form.initial["seen"]}
    sent |= {"warehouse": "CENTRAL", "counted": 0, "reason": "water damage"}

    refused = client.post(address(product, "adjust"), sent)

    page = refused.content.decode()
    assert f'href="/auctions/{LOT}">Brass sextant ({LOT[:8]})</a> loses 1 unit.' in page
    number = ids.order_number(f"{OTHER_LOT}-7")
    assert f"Order {number} (Brass sextant) loses 1 unit and is cancelled." in page
    assert 'type="checkbox" name="confirmed"' in page
    sent |= {name: refused.context["form"][name].value() for name in ("seen", "confirmation")}
    again = client.post(address(product, "adjust"), sent)
    assert "loses 1 unit" in again.content.decode()  # the box is not ticked
    assert (figures(product), published_names(), LogEntry.objects.count()) == (
        {"available": 1, "reserved": 2},
        [],
        0,
    )

    client.post(address(product, "adjust"), sent | {"confirmed": "on"})

    assert (figures(product), published_names()) == ({}, ["StockChanged", "StockDepleted", "LotStockLost"])
    assert LogEntry.objects.get().change_message == "Set Central warehouse from 3 to 0 units: water damage"


def test_reservations_name_the_lot_and_the_order_and_hide_the_refused_ones(client, sign_in, make_product):
    product = make_product(CENTRAL=1)
    list_lot(product, LOT)
    list_lot(product, OTHER_LOT)
    reserve(product, f"{LOT}-7")
    sign_in("viewer")

    holders, page = lots_of(client)

    assert holders == [f"{LOT}-7", LOT]
    assert f'href="/auctions/{LOT}">Brass sextant</a>' in page
    number = ids.order_number(f"{LOT}-7")
    assert f'href="/admin/orders/order/{number}/change/">{number}</a>' in page
    refused = client.get("/admin/inventory/reservation/?state=REFUSED").context["cl"].result_list
    assert [row.holder for row in refused] == [OTHER_LOT]


@pytest.mark.parametrize("product_id", ["f" * 32, "x", "_00"])
def test_an_action_on_no_product_is_not_there(client, sign_in, product_id):
    sign_in("stock clerk")

    for action in ACTIONS:
        assert client.get(f"/admin/inventory/product/{product_id}/{action}/").status_code == 404


def test_the_list_shows_the_figures_over_all_warehouses(client, sign_in, make_product):
    product = make_product(CENTRAL=2, HARBOUR=3)
    reserve(product)
    reserve(product, "a-2")
    sales.commit(key="c", sale_id="a-2", now=NOW)
    sign_in("viewer")

    shown = client.get("/admin/inventory/product/").context["cl"].result_list[0]

    assert (shown.on_hand, shown.available, shown.reserved, shown.committed) == (5, 3, 1, 1)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("stock=free", {"free"}),
        ("stock=reserved", {"reserved"}),
        ("stock=depleted", {"sold"}),
        ("stock=low", {"free"}),
        ("owned_by=house", {"reserved", "sold"}),
        ("owned_by=sellers", {"free"}),
        ("condition__exact=GOOD", {"free", "reserved", "sold"}),
        ("q=sextant", {"free", "reserved", "sold"}),
        ("q=nothing", set()),
    ],
)
def test_products_are_found_by_filter_and_search(client, sign_in, make_product, query, names):
    products = {
        "free": make_product(CENTRAL=1, threshold=3, owner_id="5" * 32),
        "reserved": make_product(CENTRAL=1),
        "sold": make_product(),
    }
    reserve(products["reserved"])
    sign_in("viewer")

    shown = client.get(f"/admin/inventory/product/?{query}").context["cl"].result_list

    assert {name for name, product in products.items() if product in shown} == names


def test_ledger_and_reservations_are_searched(client, sign_in, make_product):
    product, other = make_product(CENTRAL=1), make_product(CENTRAL=1)
    reserve(product, "needle-1")
    sign_in("viewer")

    for place, count in (
        (f"move/?product__id__exact={product.id}", 2),
        ("move/?q=needle", 1),
        ("move/?kind__exact=RECEIVE", 2),
        (f"move/?q={other.sku}", 1),
        ("reservation/?q=needle", 1),
        ("reservation/?state=COMMITTED", 0),
    ):
        answer = client.get(f"/admin/inventory/{place}")
        assert (answer.status_code, len(answer.context["cl"].result_list)) == (200, count), place


# --- a new product -------------------------------------------------------------------------------------------------


def new_product(**changes):
    return {
        "sku": "CLOCK-1",
        "title": "Mantel clock",
        "condition": "GOOD",
        "owner_id": "house",
        "description": "",
    } | changes


@pytest.mark.parametrize("group", [None, "stock clerk"])
def test_a_clerk_adds_a_product_with_its_picture(client, sign_in, make_product, group):
    make_product()
    user = sign_in(group)

    answer = client.post("/admin/inventory/product/add/", new_product(picture=upload()))

    product = models.Product.objects.get(sku="CLOCK-1")
    assert (answer.status_code, product.created_by) == (302, user.pk)
    assert (product.title, client.get(product.thumbnail_url).status_code) == ("Mantel clock", 200)
    assert product.balances.count() == 2
    assert LogEntry.objects.get().object_id == product.id
    assert client.get(f"/admin/inventory/product/{product.id}/change/").status_code == 200


@pytest.mark.parametrize("group", ["auction operator", "viewer"])
def test_a_role_that_only_looks_adds_no_products(client, sign_in, group):
    sign_in(group)

    assert client.post("/admin/inventory/product/add/", new_product()).status_code == 403
    assert not models.Product.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"sku": ""}, "sku"),
        ({"condition": "BROKEN"}, "condition"),
        ({"picture": SimpleUploadedFile("x.png", b"<svg>")}, "picture"),
    ],
)
def test_a_bad_product_is_refused_beside_its_field(client, sign_in, changes, field):
    sign_in()

    answer = client.post("/admin/inventory/product/add/", new_product(**changes))

    assert field in answer.context["adminform"].form.errors
    assert not models.Product.objects.exists()


def test_a_sku_is_taken_once(client, sign_in, make_product):
    taken = make_product()
    sign_in()

    answer = client.post("/admin/inventory/product/add/", new_product(sku=taken.sku))

    assert "sku" in answer.context["adminform"].form.errors
    assert models.Product.objects.count() == 1
