"""HTTP/1.1 connections of the web role: uvicorn's protocol with bounds on the bytes and the time of a client.

A head (request line and headers) has at most MAX_HEAD_BYTES and MAX_HEADER_LINES and arrives within HEAD_SECONDS. The
same bytes and seconds bound what a chunked body holds beside its data. What a refused client goes on sending is read up
to MAX_UNWANTED_BYTES. Trailers of a chunked body never become headers.
A client that does not read its answer for STALLED_SECONDS is disconnected. A process that runs out of connections drops
the one that has been silent longest.

A POST that the `FastPath` takes is answered without ASGI, which would cost a bid more than all of its rules: no scope to
fill, no messages, one write. It may take a request that has come in one piece and behind no other. All other requests,
and those that it declines, go to the ASGI application, so that only one place has to know what is refused.
"""

import asyncio
import functools
import http
import re
import resource
import sys
from typing import Any

import httptools
from uvicorn.protocols.http import httptools_impl

from auction_project.kernel import errors
from auction_project.kernel.http import addresses, answers
from auction_project.web import fast_path
from notifications.push import handshakes

MAX_HEAD_BYTES = 32 * 1024
MAX_HEADER_LINES = 100
HEAD_SECONDS = 10.0
STALLED_SECONDS = 30.0
LINGER_SECONDS = 1.0  # closing with unread bytes resets the connection, and the client may lose the answer
MAX_UNWANTED_BYTES = 1024 * 1024  # read after a refusal and dropped, for the same reason
MAX_PIPELINED = 32
MAX_DESCRIPTORS = 65_536
RESERVED_DESCRIPTORS = 256  # stores, files, the listening socket
_REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ \S+ HTTP/1\.[01]\r?\n")

# Calls by super() would cost a bid as much as these methods add.
_data_received = httptools_impl.HttpToolsProtocol.data_received
_on_headers_complete = httptools_impl.HttpToolsProtocol.on_headers_complete
_on_body = httptools_impl.HttpToolsProtocol.on_body
_on_message_complete = httptools_impl.HttpToolsProtocol.on_message_complete


class HeadTooLarge(errors.Invalid):
    """The request line and the headers are too large: they may have `limit_bytes` and `limit_lines` at most."""

    http_status = 431


class HeadTooSlow(errors.Invalid):
    """The request line and the headers must arrive within 10 seconds."""

    http_status = 408


class RequestMalformed(errors.Invalid):
    """This is not an HTTP/1.1 request."""


class MethodUnknown(errors.Invalid):
    """There is no such HTTP method."""

    http_status = 501


def raise_descriptor_limit() -> None:
    """Raise this process's soft limit of open files as far as it may go, at most to MAX_DESCRIPTORS."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


@functools.cache
def max_connections() -> int:
    """How many connections fit into the limit of open files."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = MAX_DESCRIPTORS if soft == resource.RLIM_INFINITY else min(soft, MAX_DESCRIPTORS)
    return max(1, limit - RESERVED_DESCRIPTORS)


class _Exchange:
    """A request on the fast path, with what uvicorn asks of the request under way (its RequestResponseCycle)."""

    __slots__ = ("disconnected", "keep_alive", "response_complete", "scope")

    more_body = False
    response_started = False
    message_event = asyncio.Event()  # uvicorn sets it for a reader of the body, and there is none

    def __init__(self, scope: Any) -> None:
        self.scope = scope
        self.disconnected = self.response_complete = False
        self.keep_alive = True


class Protocol(httptools_impl.HttpToolsProtocol):
    """One connection. A request that arrives in one piece costs a few comparisons, and no timer."""

    _silent: "dict[Protocol, None]" = {}  # waiting for a head, longest first

    def __init__(self, *args: Any, fast_path: fast_path.FastPath | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self._fast_path = fast_path
        self._held: bytearray | None = None  # the body so far of a request that may take the fast path
        self._pending_bytes = 0  # received since the last whole head or part of a body
        self._read = b""  # what is being parsed
        self._refusal: errors.DomainError | None = None
        self._is_refused = False
        self._unwanted_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()
        if len(self.connections) > max_connections():
            self._drop_longest_silent()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_whole()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            self._unwanted_bytes += len(data)
            if self._unwanted_bytes > MAX_UNWANTED_BYTES:
                self.flow.pause_reading()
            return
        self._read = data
        self._pending_bytes += len(data)
        _data_received(self, data)
        if self._held is not None and not self._is_refused:
            self._pass_on()
        self._read = b""
        if self._pending_bytes and not self._is_refused:
            self._check_rest()

    def on_headers_complete(self) -> None:
        if len(self.headers) > MAX_HEADER_LINES or (
            (self._pending_bytes > MAX_HEAD_BYTES or len(self._read) > MAX_HEAD_BYTES)
            and self._head_bytes() > MAX_HEAD_BYTES
        ):
            self._refusal = _too_large()
            raise self._refusal
        if len(self.pipeline) >= MAX_PIPELINED:
            raise RequestMalformed
        self._pending_bytes = 0
        if self._deadline is not None:
            self._head_is_whole()
        if self._may_be_fast():
            self._held = bytearray()
        else:
            _on_headers_complete(self)
        if not self.parser.should_upgrade():
            self.headers = []  # trailers end up here: the scope keeps the list of the head

    def on_body(self, body: bytes) -> None:
        self._pending_bytes = 0
        if self._deadline is not None:
            self._head_is_whole()
        if self._held is None:
            _on_body(self, body)
        else:
            self._held += body

    def on_message_complete(self) -> None:
        if self._held is not None:
            if self._is_answered_fast(bytes(self._held)):
                self._held = None
                return
            self._pass_on()
        _on_message_complete(self)

    def handle_websocket_upgrade(self) -> None:
        """A flood of handshakes is refused here, where its requests are still plain HTTP."""
        try:
            addresses.believe_proxies(self.scope)
            handshakes.check(self.scope)
        except errors.TooOften as error:
            self._refuse(error)
        else:
            super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        """uvicorn calls this when the parser fails, as it does when a method of this class raises."""
        self._refuse(self._refusal or _parser_refusal(self._read))

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self.loop.call_later(STALLED_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _pass_on(self) -> None:
        """Give a request to the ASGI application that does not take the fast path after all."""
        body, self._held = self._held, None
        _on_headers_complete(self)
        if body:
            _on_body(self, bytes(body))

    def _may_be_fast(self) -> bool:
        """Whether the head allows the fast path: nothing else is under way on this connection, and it stays open."""
        return (
            self._fast_path is not None
            and self.parser.get_method() == b"POST"
            and self._fast_path.takes(self.url)
            and (self.cycle is None or self.cycle.response_complete)
            and not self.pipeline
            and not self.flow.write_paused
            and not self.expect_100_continue
            and not self.parser.should_upgrade()
            and self.parser.should_keep_alive()
            and self.parser.get_http_version() == "1.1"
        )

    def _is_answered_fast(self, body: bytes) -> bool:
        assert self._fast_path is not None  # noqa: S101 - a request is held for it
        scope: Any = self.scope
        coming = self._fast_path.answer(self.url, scope["headers"], body, self.scheme == "https")
        if coming is None:
            return False
        exchange = _Exchange(scope)
        self.cycle = exchange  # type: ignore[assignment]
        task: asyncio.Task[Any] = self.loop.create_task(coming)
        self.tasks.add(task)  # the server ends after them
        task.add_done_callback(functools.partial(self._answer_fast, exchange))
        return True

    def _answer_fast(self, exchange: _Exchange, task: asyncio.Task[Any]) -> None:
        self.tasks.discard(task)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is not None:
            self.logger.error("Exception on the fast path", exc_info=error)
            exchange.keep_alive = False
        if exchange.disconnected:
            return
        exchange.response_complete = True
        status, headers, body = task.result() if error is None else answers.problem(errors.Fault())
        closing = b"" if exchange.keep_alive else b"connection: close\r\n"
        self.transport.write(
            b"%bcontent-length: %d\r\n%b\r\n%b" % (_head(status, headers), len(body), closing, body)
        )
        if not exchange.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _check_rest(self) -> None:
        """Check the rest of the last read: a part of a head or of a chunked body, or bytes of no request."""
        cycle = self.cycle
        is_request_whole = cycle is not None and self.scope is cycle.scope and not cycle.more_body
        if is_request_whole and not cycle.response_complete:
            self._head_is_whole()
        elif self._pending_bytes > MAX_HEAD_BYTES:
            self._refuse(_too_large())
        else:
            self._await_head()

    def _await_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_SECONDS, self._head_is_late)
            self._silent[self] = None

    def _head_is_whole(self) -> None:
        self._pending_bytes = 0
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
            self._silent.pop(self, None)

    def _drop_longest_silent(self) -> None:
        oldest = next(iter(self._silent))
        oldest._head_is_whole()
        oldest.transport.abort()

    def _head_is_late(self) -> None:
        if self._pending_bytes:
            self._refuse(HeadTooSlow())
        else:  # a browser opens connections that it may never use
            self.transport.abort()

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _refuse(self, error: errors.DomainError) -> None:
        """Read no further and answer `error`. Answers that have begun end first, and the connection with them."""
        self._is_refused = True
        self._head_is_whole()
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            cycle.keep_alive = False
            if not cycle.more_body:
                return
            cycle.disconnected = (
                True  # the request itself is refused: its application stops waiting for the body
            )
            cycle.message_event.set()
        self.loop.call_later(LINGER_SECONDS, self.transport.abort)
        if not self.pipeline and (cycle is None or cycle.response_complete or not cycle.response_started):
            self.transport.write(_answer(error))
            self.transport.write_eof()


def _parser_refusal(read: bytes) -> errors.DomainError:
    """Why the parser fails on `read` (call this inside the `except`): a request line has an unknown method, or the
    bytes are not a request at all.
    """
    is_method = isinstance(sys.exception(), httptools.HttpParserInvalidMethodError)
    return MethodUnknown() if is_method and _REQUEST_LINE.match(read) else RequestMalformed()


def _too_large() -> HeadTooLarge:
    return HeadTooLarge(limit_bytes=MAX_HEAD_BYTES, limit_lines=MAX_HEADER_LINES)


def _answer(error: errors.DomainError) -> bytes:
    status, headers, body = answers.problem(error)
    return b"%bcontent-length: %d\r\nconnection: close\r\nx-content-type-options: nosniff\r\n\r\n%b" % (
        _head(status, headers),
        len(body),
        body,
    )


@functools.lru_cache(maxsize=256)
def _head(status: int, headers: answers.Headers) -> bytes:
    """The status line and the headers; each line has its end."""
    lines = [f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}".encode()]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join([*lines, b""])
