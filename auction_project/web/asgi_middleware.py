"""The ASGI middleware in front of Django and of the bare applications.

`Framework` encloses Django: rate limits, bounds of the body, and a limit of concurrent requests, because each of them
takes time from the loop that takes the bids. `Bare` encloses the applications that Django does not see (bids, streams,
health). It does for them what Django's SecurityMiddleware and its check of the host do for the rest.
"""

import asyncio
from http import cookies
from importlib import import_module
from typing import Any

import django.db
import msgspec
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.db import connections
from django.http.request import split_domain_port, validate_host

from auction_project.kernel import errors, tokens
from auction_project.kernel.http import addresses, answers, budgets, problems
from auction_project.web import bounds, concurrency, metrics, middleware
from auction_project.web.pages import problems as problem_pages

# Concurrent requests, and the share of one client.
SIGNED_IN_AT_ONCE, SIGNED_IN_SHARE = 8, 4
ANONYMOUS_AT_ONCE, ANONYMOUS_SHARE = 4, 2
WAIT_SECONDS = 2.0
FILES_AT_ONCE, FILES_SHARE = 4, 2
FILE_WAIT_SECONDS = 10.0  # a page without its style is worse than a page that takes longer
FILE_COST = 0.1  # of a request: a page comes with a dozen files, which browsers keep
MAX_HOSTS = 64
_AUCTIONS = "/api/v1/auctions"
_LOCAL_HOSTS = [".localhost", "127.0.0.1", "[::1]"]  # as Django's, with DEBUG and no ALLOWED_HOSTS
_NOSNIFF = (b"x-content-type-options", b"nosniff")


class NullCharacter(errors.Invalid):
    """The address holds a null character, which is not allowed."""


class HostUnknown(errors.Invalid):
    """This site does not answer under that host name."""


class Client(msgspec.Struct, frozen=True):
    """The client that a request counts for: the user of a valid token, or else an address (an IPv6 network)."""

    name: str
    is_user: bool


def client_of(scope: Any) -> Client:
    """The client that the request of `scope` counts for."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            try:
                return Client(tokens.from_header(value.decode("latin-1")).sub, is_user=True)
            except errors.Unauthenticated:
                break  # the application says what is wrong with it
    return Client(addresses.network_of(addresses.client_address(scope)), is_user=False)


def _refuse_null_characters(scope: Any) -> None:
    """Raises NullCharacter, because no store and no header takes one. For a page `middleware.ProblemMiddleware` answers
    404.
    """
    if (_is_file(scope) or middleware.is_for_programs(scope["path"])) and middleware.has_null_character(
        scope["path"], scope.get("query_string", b"")
    ):
        raise NullCharacter


class Framework:
    """Encloses Django. It leaves the Client of a request in `scope["gavel.client"]`."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._bounds = bounds.Bounds(self._in_slot, may_upload=_may_upload, refuse=_refuse)
        self._users = concurrency.Limit(most=SIGNED_IN_AT_ONCE, share=SIGNED_IN_SHARE, seconds=WAIT_SECONDS)
        self._files = concurrency.Limit(most=FILES_AT_ONCE, share=FILES_SHARE, seconds=FILE_WAIT_SECONDS)
        self._others = concurrency.Limit(most=ANONYMOUS_AT_ONCE, share=ANONYMOUS_SHARE, seconds=WAIT_SECONDS)
        limits = {("users",): self._users, ("files",): self._files, ("anonymous",): self._others}
        metrics.slots.measure_by(lambda: {name: limit.most for name, limit in limits.items()})
        metrics.slots_taken.measure_by(lambda: {name: limit.taken for name, limit in limits.items()})
        metrics.waiting.measure_by(lambda: {name: limit.waiting for name, limit in limits.items()})

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            _refuse_null_characters(scope)
            client = scope["gavel.client"] = client_of(scope)
            _spend(scope, client)
        except errors.DomainError as error:
            await _refuse(scope, send, error, close=scope["method"] not in ("GET", "HEAD"))
        else:
            await self._bounds(scope, receive, send)

    def _limit_of(self, scope: Any, client: Client) -> concurrency.Limit:
        if _is_file(scope):
            return self._files
        return self._users if client.is_user else self._others

    async def _in_slot(self, scope: Any, receive: Any, send: Any) -> None:
        """The slot is free again when the answer begins, because a client that reads slowly must not hold up others."""
        client: Client = scope["gavel.client"]
        try:
            async with self._limit_of(scope, client).slot(client.name) as free:

                async def free_and_send(message: Any) -> None:
                    free()
                    await send(message)

                await self._app(scope, receive, free_and_send)
        except concurrency.Busy as error:
            await _refuse(scope, send, error)


async def _refuse(scope: Any, send: Any, error: errors.DomainError, *, close: bool = False) -> None:
    """Answer with a problem, or with a page for a browser that accepts one."""
    added = _security_headers(is_secure=scope.get("scheme") == "https")
    accept = next((value for name, value in scope["headers"] if name == b"accept"), b"").decode("latin-1")
    if _is_file(scope) or not middleware.wants_page(scope["path"], accept):
        await answers.refuse(send, error, close=close, headers=added)
        return
    status, body = problems.problem(error)
    more = problems.headers(error, status)
    headers = [
        (name.lower().encode(), value.encode()) for name, value in (problem_pages.HEADERS | more).items()
    ]
    closing = ((b"connection", b"close"),) if close else ()
    page = problem_pages.page(body, more.get("Retry-After"))
    await answers.send_whole(send, status, (*headers, *added, *closing), page)


def _spend(scope: Any, client: Client) -> None:
    """Raises TooOften."""
    cost = FILE_COST if _is_file(scope) else 1.0
    (budgets.USERS if client.is_user else budgets.ANONYMOUS).spend(client.name, cost)
    if client.is_user and scope["path"] == _AUCTIONS and scope["method"] == "POST":
        budgets.AUCTIONS.spend(client.name)


def _is_file(scope: Any) -> bool:
    return str(scope["path"]).startswith((settings.STATIC_URL, settings.MEDIA_URL))


async def _may_upload(scope: Any) -> bool:
    """Whether the sender is signed in, by token or by session. Raises InvalidToken, Unavailable."""
    headers = dict(scope["headers"])
    if b"authorization" in headers:
        tokens.from_header(headers[b"authorization"].decode("latin-1"))
        return True
    try:
        sent = cookies.SimpleCookie(headers.get(b"cookie", b"").decode("latin-1"))
    except cookies.CookieError:
        return False
    key = sent.get(settings.SESSION_COOKIE_NAME)
    return key is not None and await asyncio.to_thread(_is_session, key.value)


def _is_session(key: str) -> bool:
    """Whether a user is signed in to the session `key`. Closes the connections of its thread. Raises Unavailable."""
    store = import_module(settings.SESSION_ENGINE).SessionStore
    try:
        return bool(store(key).get("_auth_user_id"))
    except SuspiciousOperation:
        return False
    except django.db.Error as error:
        raise errors.Unavailable from error
    finally:
        connections.close_all()


class Bare:
    """Encloses an application that Django does not see: checks the host, redirects to HTTPS, and adds the headers that
    every answer has.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._hosts: dict[bytes, None] = {}  # verified, oldest first: a look-up costs less than a pattern
        self._redirects = bool(getattr(settings, "SECURE_SSL_REDIRECT", False))
        self._plain = _security_headers(is_secure=False)
        self._secure = _security_headers(is_secure=True)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        is_secure = scope.get("scheme") == "https"
        added = self._secure if is_secure else self._plain

        def send_with_headers(message: Any) -> Any:  # not a coroutine, which would cost each bid
            if message["type"] == "http.response.start":
                message["headers"] = (*message["headers"], *added)
            return send(message)

        host = b""
        for name, value in scope["headers"]:  # not a generator, for the same reason
            if name == b"host":
                host = value
                break
        if host not in self._hosts and not self._is_ours(host):
            await answers.refuse(send_with_headers, HostUnknown(field="Host"), close=True)
        elif self._redirects and not is_secure:
            await _redirect(scope, host, send_with_headers)
        else:
            await self._app(scope, receive, send_with_headers)

    def added_to_plain(self, host: bytes, is_secure: bool) -> answers.Headers | None:
        """The headers that an answer gets here; None for a request that this class may not let pass as it is."""
        if host not in self._hosts or (self._redirects and not is_secure):
            return None
        return self._secure if is_secure else self._plain

    def _is_ours(self, host: bytes) -> bool:
        domain, _ = split_domain_port(host.decode("latin-1"))
        allowed = settings.ALLOWED_HOSTS or (_LOCAL_HOSTS if settings.DEBUG else [])
        if not (domain and validate_host(domain, allowed)):
            return False
        if len(self._hosts) >= MAX_HOSTS:  # any port is allowed, so a client can fill the table
            del self._hosts[next(iter(self._hosts))]
        self._hosts[host] = None
        return True


def _security_headers(*, is_secure: bool) -> answers.Headers:
    """The headers that Django's SecurityMiddleware adds, by the same settings."""
    if not (is_secure and settings.SECURE_HSTS_SECONDS):
        return (_NOSNIFF,)
    value = f"max-age={settings.SECURE_HSTS_SECONDS}"
    if settings.SECURE_HSTS_INCLUDE_SUBDOMAINS:
        value += "; includeSubDomains"
    if settings.SECURE_HSTS_PRELOAD:
        value += "; preload"
    return _NOSNIFF, (b"strict-transport-security", value.encode())


async def _redirect(scope: Any, host: bytes, send: Any) -> None:
    """To the same address by HTTPS, with the same method."""
    query: bytes = scope.get("query_string", b"")
    target = b"https://" + host + scope["raw_path"] + (b"?" + query if query else b"")
    await answers.send_whole(send, 308, ((b"location", target), (b"connection", b"close")), b"")
