"""The whole application from outside: hosts, HTTPS, headers, budgets, and errors that are problems wherever they arise."""

import asyncio
import json
import time
from concurrent import futures
from typing import Any

import httpx
import pytest
from django.db import OperationalError
from django.test import Client

from auction_project import asgi
from auction_project.kernel import errors, instants, tokens
from auction_project.kernel.http import budgets, problems
from auction_project.web import asgi_middleware, bounds, concurrency, openapi
from auction_project.web.pages import problems as problem_pages

BID = "/api/v1/auctions/0123456789abcdef0123456789abcdef/bids"
LOCAL = "http://localhost"
BARE = [("GET", "/livez"), ("POST", BID)]


async def _ask(
    method: str,
    path: str,
    *,
    base_url: str = LOCAL,
    address: str = "192.0.2.1",
    app: Any = asgi.application,
    **options: Any,
) -> httpx.Response:
    transport = httpx.ASGITransport(app=app, client=(address, 1), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=base_url) as client:
        return await client.request(method, path, **options)


def _bearer(sub: str) -> dict[str, str]:
    now = time.time()
    token = tokens.sign(sub=sub, roles=["seller", "bidder"], created_at=0, now=now, seconds=3600)
    return {"Authorization": f"Bearer {token}"}


def _problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text[:200]
    assert answer.headers["x-content-type-options"] == "nosniff"
    body = answer.json()
    assert body["status"] == answer.status_code
    return answer.status_code, body["code"]


# --- what Django does not see -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path"), BARE)
async def test_every_bare_answer_forbids_sniffing(method: str, path: str) -> None:
    answer = await _ask(method, path)

    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "strict-transport-security" not in answer.headers


@pytest.mark.parametrize(("method", "path"), [*BARE, ("GET", "/api/v1/stream")])
@pytest.mark.parametrize(
    "host", ["http://evil.example", "http://localhost:x", "http://localhost.evil.example"]
)
async def test_a_foreign_host_gets_nothing_from_a_bare_path(method: str, path: str, host: str) -> None:
    headers = {"Host": host.removeprefix("http://")}

    assert _problem(await _ask(method, path, headers=headers)) == (400, "host_unknown")


async def test_a_host_with_a_port_is_the_same_host() -> None:
    assert (await _ask("GET", "/livez", base_url="http://localhost:8000")).status_code == 200


class _Served:
    """A bare application that counts its requests."""

    def __init__(self) -> None:
        self.requests = 0

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        self.requests += 1
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


async def test_in_production_plain_http_is_redirected_with_its_method_and_https_is_remembered(
    settings: Any,
) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 100
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = settings.SECURE_HSTS_PRELOAD = True
    served = _Served()
    app = asgi_middleware.Bare(served)

    plain = await _ask("POST", f"{BID}?a=b", app=app)
    assert (plain.status_code, plain.headers["location"]) == (308, f"https://localhost{BID}?a=b")
    assert "strict-transport-security" not in plain.headers
    assert served.requests == 0

    secure = await _ask("POST", BID, base_url="https://localhost", app=app)
    assert (secure.status_code, served.requests) == (200, 1)
    assert secure.headers["strict-transport-security"] == "max-age=100; includeSubDomains; preload"


async def test_the_known_hosts_are_bounded(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setattr(asgi_middleware, "MAX_HOSTS", 2)
    settings.ALLOWED_HOSTS = [".example.org"]
    app = asgi_middleware.Bare(_Served())

    for number in range(5):
        assert (await _ask("GET", "/", base_url=f"http://h{number}.example.org", app=app)).status_code == 200

    assert len(app._hosts) == 2


async def test_a_client_with_many_hosts_does_not_keep_the_usual_host_from_the_fast_path() -> None:
    app = asgi_middleware.Bare(_Served())

    for port in range(1, asgi_middleware.MAX_HOSTS + 2):
        await _ask("GET", "/", base_url=f"http://localhost:{port}", app=app)
    assert app.added_to_plain(b"localhost", is_secure=False) is None
    await _ask("GET", "/", app=app)

    assert app.added_to_plain(b"localhost", is_secure=False) == ((b"x-content-type-options", b"nosniff"),)


async def test_figures_are_for_the_private_port() -> None:
    assert (await _ask("GET", "/metrics")).status_code == 404


# --- addresses and hosts that no view expects -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/api/openapi.json?version=%00",
        "/api/v1/auctions?q=a%00b",
        "/_allauth/app/v1/auth/session?x=%00",
        "/static/gavel/%00",
    ],
)
async def test_a_null_character_in_the_address_of_a_program_is_a_problem(path: str) -> None:
    assert _problem(await _ask("GET", path)) == (400, "null_character")


@pytest.mark.parametrize(
    "path",
    ["/%00", "/?q=%00", "/problems/?x=%00", "/admin/sagas/saga/%00/change/", "/admin/orders/order/?q=%00"],
)
async def test_a_page_whose_address_holds_a_null_character_does_not_exist(path: str) -> None:
    answer = await _ask("GET", path)

    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "Page not found" in answer.text


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/v1/nothing", (404, "not_found")),
        ("GET", "/api/v1/auctions/", (404, "not_found")),
        ("POST", "/api/v1/nothing/bids", (404, "not_found")),
    ],
)
async def test_an_address_that_does_not_exist_is_a_problem_below_the_api(
    method: str, path: str, expected: tuple[int, str]
) -> None:
    assert _problem(await _ask(method, path)) == expected


async def test_what_is_refused_before_django_has_its_security_headers(settings: Any) -> None:
    settings.SECURE_HSTS_SECONDS = 100

    secure = await _ask("GET", "/api/v1/auctions?q=%00", base_url="https://localhost")
    plain = await _ask("GET", "/api/v1/auctions?q=%00")

    assert _problem(secure) == _problem(plain) == (400, "null_character")
    assert secure.headers["strict-transport-security"].startswith("max-age=100")
    assert "strict-transport-security" not in plain.headers


async def test_a_foreign_host_is_a_problem_below_the_api() -> None:
    assert _problem(await _ask("GET", "/api/v1/time", base_url="http://evil.example")) == (400, "invalid")


async def test_the_page_that_refuses_a_foreign_host_opens_no_stream() -> None:
    answer = await _ask("GET", "/problems/", base_url="http://evil.example")

    assert (answer.status_code, answer.headers["content-type"]) == (400, "text/html; charset=utf-8")
    assert "connect-src 'self';" in answer.headers["content-security-policy"]


async def test_a_fault_below_the_api_is_a_problem_that_says_nothing_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(instants, "now", lambda: 1 / 0)

    answer = await _ask("GET", "/api/v1/time")

    assert _problem(answer) == (500, "fault")
    assert "division" not in answer.text
    assert answer.headers["x-correlation-id"]


async def test_pages_keep_their_own_error_pages() -> None:
    answer = await _ask("GET", "/nothing")

    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")


def test_no_figure_takes_the_place_of_a_member_of_the_problem() -> None:
    status, body = problems.problem(errors.Conflict(status="OPEN", code="x", type="y", figure=1))

    assert (status, body["status"], body["code"]) == (409, 409, "conflict")
    assert (body["type"], body["figure"]) == ("/problems/conflict", 1)


# --- the document ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query", ["", "?version=x%0a", "?version=%0d%0aSet-Cookie:a=b", "?lang=xx", "?format=yaml"]
)
async def test_the_document_is_the_same_for_every_query(query: str) -> None:
    answer = await _ask("GET", f"/api/openapi.json{query}")

    assert (answer.status_code, answer.json()["info"]["title"]) == (200, "Gavel")


async def test_a_document_that_has_not_changed_is_not_sent_again() -> None:
    tag = (await _ask("GET", "/api/openapi.json")).headers["etag"]

    again = await _ask("GET", "/api/openapi.json", headers={"If-None-Match": tag})

    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["/api/", "/api/openapi.json"])
@pytest.mark.parametrize("method", ["OPTIONS", "POST", "DELETE"])
async def test_the_document_is_only_read(method: str, path: str) -> None:
    answer = await _ask(method, path)

    assert _problem(answer) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, HEAD"


def test_parallel_first_requests_get_one_document(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[None] = []
    generate = openapi.SchemaGenerator.get_schema
    monkeypatch.setattr(openapi, "_rendered", {})
    monkeypatch.setattr(
        openapi.SchemaGenerator,
        "get_schema",
        lambda self, **options: (rendered.append(None), generate(self, **options))[1],
    )

    with futures.ThreadPoolExecutor(8) as pool:
        documents = list(pool.map(lambda _: openapi.document(), range(8)))

    assert (len(rendered), len(set(documents))) == (1, 1)
    assert json.loads(documents[0])["paths"]


# --- budgets and turns -----------------------------------------------------------------------------------------------


@pytest.fixture
def small_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, burst in (("ANONYMOUS", 3), ("USERS", 5), ("AUCTIONS", 2), ("BIDS", 2)):
        monkeypatch.setattr(budgets, name, budgets.Budget(name, rate=0.001, seconds=1, burst=burst))


@pytest.mark.usefixtures("small_budgets")
async def test_an_address_has_a_budget_and_another_one_has_its_own() -> None:
    for _ in range(3):
        assert (await _ask("GET", "/api/v1/time")).status_code == 200

    refused = await _ask("GET", "/api/v1/time")

    assert _problem(refused) == (429, "too_often")
    assert int(refused.headers["retry-after"]) == refused.json()["retry_after_seconds"] > 0
    assert (await _ask("GET", "/api/v1/time", address="192.0.2.2")).status_code == 200


@pytest.mark.usefixtures("small_budgets")
@pytest.mark.parametrize(("proxies", "last"), [(0, 429), (1, 200)])
async def test_a_forwarded_address_has_a_budget_only_where_a_proxy_is_trusted(
    proxies: int, last: int, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.TRUSTED_PROXY_COUNT = proxies
    monkeypatch.setattr(asgi, "_HAS_PROXIES", proxies > 0)

    answers = [
        await _ask("GET", "/api/v1/time", headers={"X-Forwarded-For": f"198.51.100.{number}"})
        for number in range(4)
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 200, last]


@pytest.mark.usefixtures("small_budgets")
async def test_a_user_has_one_budget_for_all_addresses() -> None:
    for number in range(5):
        answer = await _ask("GET", "/api/v1/time", address=f"192.0.2.{number}", headers=_bearer("ann"))
        assert answer.status_code == 200

    assert _problem(await _ask("GET", "/api/v1/time", headers=_bearer("ann"))) == (429, "too_often")
    assert (await _ask("GET", "/api/v1/time", headers=_bearer("bob"))).status_code == 200


@pytest.mark.usefixtures("small_budgets")
async def test_a_token_that_is_not_valid_buys_no_budget() -> None:
    for number in range(3):
        await _ask("GET", "/api/v1/time", headers={"Authorization": f"Bearer {number}"})

    answer = await _ask("GET", "/api/v1/time", headers={"Authorization": "Bearer 4"})

    assert _problem(answer) == (429, "too_often")


@pytest.mark.usefixtures("small_budgets")
async def test_a_seller_lists_a_bounded_number_of_auctions() -> None:
    for _ in range(2):
        assert (await _ask("POST", "/api/v1/auctions", json={}, headers=_bearer("ann"))).status_code == 400

    answer = await _ask("POST", "/api/v1/auctions", json={}, headers=_bearer("ann"))

    assert (_problem(answer), answer.json()["rule"]) == ((429, "too_often"), "AUCTIONS")


@pytest.mark.usefixtures("small_budgets")
async def test_a_user_bids_a_bounded_number_of_times_on_a_lot() -> None:
    async def bid(sub: str, path: str = BID) -> int:
        headers = {**_bearer(sub), "Idempotency-Key": "k"}
        return (
            await _ask("POST", path, content=b"{", headers={**headers, "Content-Type": "application/json"})
        ).status_code

    assert [await bid("ann") for _ in range(3)] == [400, 400, 429]
    assert await bid("bob") == 400
    assert await bid("ann", BID.replace("0123", "4567")) == 400


async def test_a_request_that_gets_no_slot_in_time_is_503_with_retry_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    served = _Served()
    front = asgi_middleware.Framework(served)
    monkeypatch.setattr(front, "_others", concurrency.Limit(most=1, share=1, seconds=0.01))

    async with front._others.slot("192.0.2.7"):
        answer = await _ask("GET", "/", app=front)

    assert (_problem(answer), answer.headers["retry-after"]) == ((503, "busy"), "1")
    assert served.requests == 0
    assert (await _ask("GET", "/", app=front)).status_code == 200


async def test_a_client_that_reads_slowly_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    front = asgi_middleware.Framework(_Served())
    monkeypatch.setattr(front, "_others", concurrency.Limit(most=1, share=1, seconds=0.01))
    answering, read = asyncio.Event(), asyncio.Event()

    async def nothing() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def slow_send(_message: Any) -> None:
        answering.set()
        await read.wait()

    scope = {"type": "http", "method": "GET", "path": "/", "client": ("192.0.2.1", 1), "headers": []}
    slow = asyncio.create_task(front(scope, nothing, slow_send))
    await answering.wait()

    assert (await _ask("GET", "/", app=front, address="192.0.2.2")).status_code == 200

    read.set()
    await slow


# --- uploads -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/v1/products", "/admin/inventory/product/add/"])
async def test_an_upload_without_a_token_is_refused_unread(path: str) -> None:
    answer = await _ask("POST", path, files={"picture": b"x" * 100_000})

    assert _problem(answer) == (401, "unauthenticated")
    assert answer.headers["connection"] == "close"


async def test_an_upload_with_a_forged_token_is_refused_unread() -> None:
    answer = await _ask(
        "POST", "/api/v1/products", files={"picture": b"x"}, headers={"Authorization": "Bearer x"}
    )

    assert _problem(answer) == (401, "invalid_token")


@pytest.mark.django_db(transaction=True)
def test_a_session_may_upload_while_a_user_is_signed_in_to_it(client: Client, admin_client: Client) -> None:
    anonymous = client.session
    anonymous["cart"] = 1
    anonymous.save()
    signed_in = admin_client.session.session_key

    with futures.ThreadPoolExecutor(1) as pool:
        answers = list(pool.map(asgi_middleware._is_session, [anonymous.session_key, "nothing", signed_in]))

    assert answers == [False, False, True]


# --- what caches may keep --------------------------------------------------------------------------------------------


async def test_what_a_signed_in_client_gets_is_kept_by_no_cache() -> None:
    by_token = await _ask("GET", "/api/v1/nothing", headers=_bearer("ann"))
    assert by_token.headers["cache-control"] == "private, no-store"

    public = await _ask("GET", "/api/v1/time")
    assert "cache-control" not in public.headers


@pytest.mark.django_db
def test_a_page_of_a_session_is_kept_by_no_cache(admin_client: Client) -> None:
    assert admin_client.get("/problems/").headers["Cache-Control"] == "private, no-store"


# --- pages in place of problems --------------------------------------------------------------------------------------

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def _page(answer: httpx.Response) -> tuple[int, str]:
    """Status and heading of a page that a browser may show."""
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    return answer.status_code, answer.text.partition("<h1>")[2].partition("</h1>")[0]


@pytest.mark.usefixtures("small_budgets")
async def test_a_browser_without_budget_gets_a_page_and_a_program_a_problem() -> None:
    for _ in range(3):
        budgets.ANONYMOUS.spend("192.0.2.1")

    answer = await _ask("GET", "/orders", headers=BROWSER)

    assert _page(answer) == (429, "Too many attempts")
    assert f"Try again in {answer.headers['retry-after']} seconds." in answer.text
    for path, headers in [("/orders", {}), ("/api/v1/time", BROWSER), ("/static/x.css", BROWSER)]:
        budgets.ANONYMOUS._young["192.0.2.1"] = 1e12
        assert _problem(await _ask("GET", path, headers=headers)) == (429, "too_often")


@pytest.mark.usefixtures("small_budgets")
async def test_a_flood_of_refused_pages_is_rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[str] = []
    monkeypatch.setattr(
        problem_pages, "render_to_string", lambda name, _: (rendered.append(name), "<h1>x</h1>")[1]
    )
    problem_pages._page.cache_clear()
    budgets.ANONYMOUS._young["192.0.2.1"] = 1e12

    for _ in range(5):
        assert (await _ask("GET", "/", headers=BROWSER)).status_code == 429

    problem_pages._page.cache_clear()
    assert len(rendered) <= 2  # the seconds to wait may change once


async def test_a_browser_that_gets_no_slot_in_time_gets_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi_middleware, "WAIT_SECONDS", 0.01)
    monkeypatch.setattr(asgi_middleware, "ANONYMOUS_AT_ONCE", 0)

    answer = await _ask("GET", "/", headers=BROWSER, app=asgi_middleware.Framework(_Served()))

    assert _page(answer) == (503, "This page is unavailable for the moment")
    assert answer.headers["retry-after"] == "1"
    assert "Try again in 1 second." in answer.text


async def test_a_browser_whose_upload_finds_no_place_gets_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "UPLOADS_AT_ONCE", 0)
    monkeypatch.setattr(bounds, "UPLOAD_WAIT_SECONDS", 0.01)
    headers = BROWSER | _bearer("ann")

    answer = await _ask(
        "POST",
        "/admin/x",
        files={"picture": b"x"},
        headers=headers,
        app=asgi_middleware.Framework(_Served()),
    )

    assert _page(answer) == (503, "This page is unavailable for the moment")


@pytest.mark.parametrize(
    ("error", "status", "heading", "retry_after"),
    [
        (OperationalError("x"), 503, "This page is unavailable for the moment", "1"),
        (errors.TooOften(retry_after_seconds=7), 429, "Too many attempts", "7"),
        (errors.Conflict("It is <closed>."), 409, "Conflict", None),
    ],
)
def test_a_view_that_fails_shows_a_browser_a_page(
    monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, heading: str, retry_after: str | None
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("auction_project.web.pages.views.Problems.get_context_data", fail)

    answer = Client().get("/problems/", headers=BROWSER)
    problem = Client().get("/problems/")

    page = answer.content.decode()
    assert (answer.status_code, answer.headers.get("Retry-After")) == (status, retry_after)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert f"<h1>{heading}</h1>" in page
    assert "<closed>" not in page
    assert (problem.status_code, problem.headers["Content-Type"]) == (status, problems.CONTENT_TYPE)
