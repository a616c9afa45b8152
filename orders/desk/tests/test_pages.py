"""The page "Desk": who may see it, its figures beside those of the period before, its fetches, and its tables as CSV."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from auction_project import urls  # noqa: F401 - it loads the apps' admins
from auction_project.accounts import services as accounts
from auction_project.kernel import databases, desk_news, ids
from orders.desk import charts, exports, report
from orders.desk.tests import happenings

PAGE, FIGURES = "/admin/desk/", "/admin/desk/figures/"
EXPORTS = [f"/admin/desk/{table}.csv" for table in exports.TABLES]

pytestmark = pytest.mark.django_db(databases=databases.ALIASES)


def client_with(*codenames: str, name: str = "desk") -> Client:
    user = get_user_model()(email=f"{name}@example.org", is_staff=True)
    user.set_unusable_password()
    user.save()
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def browser() -> Client:
    return client_with("view_desk")


def sell(*, at: datetime, amount: int = 10_00, **changes: Any) -> None:
    sale = happenings.sale(amount=amount, **changes)
    happenings.hear([happenings.event(sale, at=at), happenings.event(happenings.confirmed(sale), at=at)])


def text(client: Client, path: str = PAGE, **query: str) -> str:
    answer = client.get(path, query)
    assert answer.status_code == 200
    return answer.content.decode()


def cards(html: str) -> dict[str, tuple[str, str]]:
    """The figure of each card, and the line below it."""
    found = re.findall(r"<dt>([^<]*)</dt>\s*<dd><strong>([^<]*)</strong>\s*<span>([^<]*)</span>", html)
    return {label: (value, " ".join(line.split())) for label, value, line in found}


def table(client: Client, name: str, **query: str) -> list[dict[str, str]]:
    answer = client.get(f"/admin/desk/{name}.csv", query)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith(f'attachment; filename="desk-{name}-')
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode(), newline="")))


# --- who may see it ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [PAGE, FIGURES, *EXPORTS])
def test_the_desk_needs_its_permission(path: str) -> None:
    sell(at=timezone.now(), amount=123_45)

    stranger = Client().get(path)
    others = client_with("view_order", "view_saga", "view_product").get(path)
    customer = Client()
    customer.force_login(
        accounts.create_account(
            email="ada@example.org", password=None, verified=True, actor="test", now=timezone.now()
        )
    )

    assert (stranger.status_code, others.status_code) == (302, 403)
    assert customer.get(path, follow=True).status_code == 403
    assert client_with("view_desk", name="owner").get(path).status_code == 200


@pytest.mark.parametrize(
    ("group", "may"),
    [("auction operator", True), ("finance", True), ("viewer", True), ("stock clerk", False)],
)
def test_the_desk_is_in_the_menu_of_the_groups_that_may_see_it(group: str, may: bool) -> None:
    accounts.sync_group_permissions()
    user = accounts.create_account(
        email="olga@example.org",
        password=None,
        verified=True,
        groups=[group],
        actor="test",
        now=timezone.now(),
    )
    browser = Client()
    browser.force_login(user)

    assert (f'href="{PAGE}"' in text(browser, "/admin/")) is may
    assert browser.get(PAGE).status_code == (200 if may else 403)


@pytest.mark.parametrize("path", [PAGE, FIGURES, *EXPORTS])
def test_the_desk_is_read_only(browser: Client, path: str) -> None:
    assert browser.post(path).status_code == 405


# --- what it shows ----------------------------------------------------------------------------------------------------


def test_an_empty_desk_says_what_would_be_there(browser: Client) -> None:
    html = text(browser)

    assert "Nothing happened in this period." in html
    assert "An order counts here as soon as it is confirmed." in html
    assert "No sale was undone." in html
    assert "A product counts here once stock is received" in html
    assert cards(html)["Revenue"] == ("€0.00", "€0.00 before")
    assert cards(html)["Average order"] == ("–", "– before")


def test_figures_stand_beside_those_of_the_period_before(browser: Client) -> None:
    day = datetime(2026, 11, 19, 12, tzinfo=UTC)
    sell(at=day, amount=30_00)
    sell(at=day, amount=10_01)
    sell(at=day - timedelta(days=1), amount=20_00)
    sell(at=day - timedelta(days=2), amount=99_00)
    happenings.hear([happenings.event(happenings.failed(happenings.sale()), at=day)])

    html = text(browser, day="2026-11-19")

    assert cards(html) == {
        "Revenue": ("€40.01", "€20.00 before, +100%"),
        "Orders": ("2", "1 before, +100%"),
        "Average order": ("€20.00", "€20.00 before, +0%"),
        "Given back": ("€0.00", "€0.00 before"),
        "Lots listed": ("0", "0 before"),
        "Conversion": ("–", "– before"),
        "Sell-through": ("–", "– before"),
        "Sales undone": ("1", "0 before"),
    }
    assert "The payment was declined" in html


def test_conversion_and_sell_through_are_those_of_the_lots_that_ended(browser: Client) -> None:
    day = datetime(2026, 11, 19, 12, tzinfo=UTC)
    for number, (offered, sold) in enumerate([(10, 4), (1, 0), (1, 1)]):
        auction_id = f"{number}" * 32
        run = [happenings.listed(auction_id, quantity=offered), happenings.accepted(auction_id)]
        if sold:
            sale = happenings.sale(auction_id=auction_id, lines=[("p", sold, 10_00)])
            run += [sale, happenings.confirmed(sale)]
        run.append(happenings.ended(auction_id))
        happenings.hear([happenings.event(each, at=day) for each in run])
    happenings.hear(
        [
            happenings.event(each, at=day)
            for each in (happenings.listed("f" * 32), happenings.accepted("f" * 32))
        ]
    )

    html = text(browser, day="2026-11-19")

    assert cards(html)["Lots listed"][0] == "4"
    assert cards(html)["Conversion"][0] == "66.7%"
    assert cards(html)["Sell-through"][0] == "41.7%"
    assert "1 lot is on sale now" in html


def test_money_is_of_one_currency_and_the_others_can_be_chosen(browser: Client) -> None:
    day = datetime(2026, 11, 19, 12, tzinfo=UTC)
    for _ in range(2):
        sell(at=day, amount=500, currency="JPY")
    sell(at=day, amount=7_00)

    assert cards(text(browser, day="2026-11-19"))["Revenue"][0] == "¥1,000"
    assert cards(text(browser, day="2026-11-19", currency="EUR"))["Revenue"][0] == "€7.00"
    assert re.findall(r"<option[^>]*>(\w+)</option>", text(browser, day="2026-11-19")) == ["EUR", "JPY"]


def test_days_are_those_of_the_house(browser: Client, settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    sell(at=datetime(2026, 11, 18, 23, 30, tzinfo=UTC), amount=7_00)

    html = text(browser, day="2026-11-19")

    assert cards(html)["Revenue"][0] == "€7.00"
    assert "days begin at midnight in Europe/Berlin" in html
    assert '<th scope="row">0:00</th><td>€7.00</td>' in html


def test_the_top_lists_name_products_and_sellers(browser: Client) -> None:
    day, seller = datetime(2026, 11, 19, 12, tzinfo=UTC), ids.new_id()
    happenings.hear(
        [
            happenings.event(happenings.accepted("a" * 32, product_id="p1", owner_id=seller)),
            happenings.event(happenings.offer("p2", 5_00)),
        ]
    )
    sell(at=day, amount=40_00, lines=[("p1", 2, 30_00), ("p2", 1, 10_00)])
    sell(at=day, amount=15_00, lines=[("p2", 3, 15_00)])

    html = text(browser, day="2026-11-19")

    rows = re.findall(
        r'<th scope="row"><a href="[^"]*">([^<]*)</a></th><td>(\d+)</td><td>(\d+)</td><td>([^<]*)', html
    )
    assert rows == [("The p1", "1", "2", "€30.00"), ("The p2", "2", "4", "€25.00")]
    assert f'<th scope="row">{seller[:8]}…</th><td>2</td><td>€30.00</td>' in html
    assert '<th scope="row">The house</th><td>4</td><td>€25.00</td>' in html


def test_stock_is_worth_units_by_price_in_each_currency(browser: Client) -> None:
    happenings.hear(
        [
            happenings.event(happenings.stock("p1", 3)),
            happenings.event(happenings.offer("p1", 2_50)),
            happenings.event(happenings.stock("p2", 2)),
            happenings.event(happenings.offer("p2", 300, currency="JPY")),
            happenings.event(happenings.stock("p3", 9)),
            happenings.event(happenings.stock("p4", 0)),
            happenings.event(happenings.offer("p4", 1_00)),
        ]
    )

    rows = re.findall(r'<th scope="row">([^<]*)</th><td>(\d+)</td><td>(\d+)</td><td>([^<]*)', text(browser))

    assert rows == [
        ("EUR", "1", "3", "€7.50"),
        ("JPY", "1", "2", "¥600"),
        ("No price in the shop", "1", "9", "–"),
    ]


def test_a_title_cannot_become_markup(browser: Client) -> None:
    happenings.hear([happenings.event(happenings.offer("p", 5_00, title="<script>alert(1)</script>"))])
    sell(at=timezone.now())

    html = text(browser)

    assert "<script>alert(1)</script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


@pytest.mark.parametrize(
    "query",
    [{"period": "year"}, {"day": "x"}, {"period": "custom", "from": "2026-11-21", "to": "2026-11-20"}],
)
def test_a_period_that_does_not_exist_shows_today_and_says_so(browser: Client, query: dict[str, str]) -> None:
    sell(at=timezone.now(), amount=7_00)

    html = text(browser, PAGE, **query)

    assert 'role="alert">A period is a day, a week, a month' in html
    assert cards(html)["Revenue"][0] == "€7.00"
    assert browser.get(FIGURES, query).status_code == 404
    assert browser.get(EXPORTS[0], query).status_code == 404


def test_every_plot_has_a_title_a_description_and_a_table(browser: Client) -> None:
    sell(at=timezone.now(), amount=7_00)

    html = text(browser)

    [plot] = re.findall(r'<svg class="desk-svg".*?</svg>', html, re.S)[:1]
    assert 'role="img" aria-labelledby="plot-revenue-title plot-revenue-desc"' in plot
    assert '<title id="plot-revenue-title">Revenue</title>' in plot
    assert '<desc id="plot-revenue-desc">€7.00 in all; the most is €7.00,' in plot
    assert plot.count("<rect") == 1
    assert html.count("Revenue as a table</summary>") == 1
    assert html.count("<td>€7.00</td>") == 3  # of the hour, the product and the seller


@pytest.mark.parametrize(
    ("value", "currency", "short"),
    [
        (0, "EUR", "€0"),
        (50, "EUR", "€0.5"),
        (400_00, "EUR", "€400"),
        (1_250_00, "EUR", "€1.25k"),
        (2_000_000_00, "EUR", "€2M"),
        (12_000, "JPY", "¥12k"),
        (900, "CHF", "CHF 9"),
        (3, "", "3"),
        (12_000, "", "12k"),
    ],
)
def test_an_axis_has_short_figures(value: int, currency: str, short: str) -> None:
    assert report._short(value, currency) == short


@pytest.mark.parametrize(
    ("highest", "top"), [(0, 4), (4, 4), (5, 8), (9, 12), (13, 20), (21, 40), (12_001, 20_000)]
)
def test_an_axis_ends_at_the_next_round_figure(highest: int, top: int) -> None:
    assert charts.scale(highest) == top


# --- what moves -------------------------------------------------------------------------------------------------------


def test_a_fetch_has_no_body_until_something_changes(browser: Client) -> None:
    first = browser.get(FIGURES)
    again = browser.get(FIGURES, headers={"If-None-Match": first["ETag"]})

    sell(at=timezone.now(), amount=7_00)
    changed = browser.get(FIGURES, headers={"If-None-Match": first["ETag"]})

    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert changed.status_code == 200
    assert cards(changed.content.decode())["Revenue"][0] == "€7.00"
    assert changed["ETag"] != first["ETag"]


def test_each_answer_has_a_pass_to_hear_of_changes(browser: Client) -> None:
    page = re.search(r'data-pass="([^"]+)"', text(browser))
    first = browser.get(FIGURES)
    again = browser.get(FIGURES, headers={"If-None-Match": first["ETag"]})

    assert page is not None
    for shown in (page[1], first["Gavel-Desk-Pass"], again["Gavel-Desk-Pass"]):
        desk_news.check_pass(shown)
    assert again.status_code == 304
    assert "Gavel-Desk-Pass" not in client_with("view_order", name="other").get(FIGURES)


def test_a_fetch_takes_three_statements_of_the_desk(browser: Client, django_assert_num_queries: Any) -> None:
    sell(at=timezone.now())

    with django_assert_num_queries(3, using="orders"):
        browser.get(FIGURES)


def test_a_period_that_is_over_is_not_fetched_again(browser: Client) -> None:
    assert "data-from" in text(browser)
    assert "data-from" not in text(browser, day="2020-01-01")


# --- CSV --------------------------------------------------------------------------------------------------------------


def test_the_figures_are_a_row_for_each_part_of_the_period(browser: Client) -> None:
    sell(at=datetime(2026, 11, 19, 12, tzinfo=UTC), amount=30_00)

    rows = table(browser, "figures", period="week", day="2026-11-19", currency="EUR")

    assert [row["from"] for row in rows] == [f"2026-11-{day}" for day in range(16, 23)]
    assert (rows[3]["revenue"], rows[3]["orders"], rows[3]["average_order"]) == ("30.00", "1", "30.00")
    assert (rows[2]["revenue"], rows[2]["orders"], rows[2]["average_order"]) == ("0.00", "0", "")


def test_the_products_are_all_that_were_sold(browser: Client) -> None:
    day = datetime(2026, 11, 19, 12, tzinfo=UTC)
    lines = [(f"p{number:03}", 1, 1_00) for number in range(30)]
    sell(at=day, amount=30_00, lines=lines)

    rows = table(browser, "products", day="2026-11-19", currency="EUR")

    assert [row["product"] for row in rows] == [product for product, _, _ in lines]
    assert {(row["orders"], row["units"], row["amount"]) for row in rows} == {("1", "1", "1.00")}


@pytest.mark.parametrize("title", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("x","y")'])
def test_a_text_is_no_formula_of_a_spreadsheet(browser: Client, title: str) -> None:
    happenings.hear([happenings.event(happenings.offer("p", 5_00, title=title))])
    sell(at=datetime(2026, 11, 19, 12, tzinfo=UTC))

    [row] = table(browser, "products", day="2026-11-19", currency="EUR")

    assert row["title"] == f"'{title}"


def test_quotes_commas_and_lines_of_a_title_stay_in_their_cell(browser: Client) -> None:
    happenings.hear([happenings.event(happenings.offer("p", 5_00, title='A "big", old\nclock'))])
    sell(at=datetime(2026, 11, 19, 12, tzinfo=UTC))

    [row] = table(browser, "products", day="2026-11-19", currency="EUR")

    assert row["title"] == 'A "big", old\nclock'


def test_the_other_tables_say_what_the_page_says(browser: Client) -> None:
    day = datetime(2026, 11, 19, 12, tzinfo=UTC)
    happenings.hear(
        [happenings.event(happenings.stock("p", 3)), happenings.event(happenings.offer("p", 2_50))]
    )
    happenings.hear([happenings.event(happenings.failed(happenings.sale()), at=day)])
    sell(at=day)

    query = {"day": "2026-11-19", "currency": "EUR"}
    assert table(browser, "sellers", **query) == [
        {"seller": "house", "units": "1", "amount": "10.00", "currency": "EUR"}
    ]
    assert table(browser, "undone", **query) == [
        {
            "reason": "payment_refused",
            "description": "the payment was declined",
            "sales": "1",
            "sales_before": "0",
        }
    ]
    assert table(browser, "stock", **query) == [
        {
            "product": "p",
            "title": "The p",
            "seller": "house",
            "on_hand": "3",
            "price": "2.50",
            "value": "7.50",
            "currency": "EUR",
        }
    ]


@pytest.mark.parametrize("path", ["/admin/desk/nothing.csv", "/admin/desk/figures.csv?currency=XYZ"])
def test_an_unknown_table_or_currency_is_not_found(browser: Client, path: str) -> None:
    assert browser.get(path).status_code == 404


async def test_an_asynchronous_server_streams_the_same() -> None:
    rows = [["title"], *([f"No. {number}"] for number in range(1_200))]

    pieces = [piece async for piece in exports.pieces_asynchronously(rows)]

    assert pieces == list(exports.pieces(rows))
    assert [piece.count(b"\r\n") for piece in pieces] == [500, 500, 201]
