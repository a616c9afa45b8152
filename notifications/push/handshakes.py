"""In front of both transports: what the opening of a stream draws on before any other work is done for it.

A handshake without budget or place (`admission`) gets 429 or 503 with Retry-After as a plain HTTP answer and never becomes
a stream, so that a flood of handshakes cannot delay bids. A browser's WebSocket sees a failed connection, and backs off.
"""

import asyncio
import contextlib
from typing import Any

from auction_project.kernel import errors
from auction_project.kernel.http import addresses, answers, budgets, problems
from notifications import metrics
from notifications.push import hub, sockets

END = "gavel.end_handshake"  # in the scope: the application calls it once the handshake is answered
_DENIAL = "websocket.http.response"
LOST_SECONDS = 1.0


def check(scope: Any) -> None:
    """Raise TooOften for a WebSocket that the front would refuse for its budget. The server asks before it upgrades the
    connection, because a refusal after an upgrade costs more than twice as much."""
    try:
        budgets.STREAMS.check(addresses.network_of(addresses.client_address(scope)))
    except errors.TooOften as error:
        metrics.handshakes_refused.labels(error.code).inc()
        raise


class Front:
    """`app`, WebSocket or SSE, behind the budget of handshakes and the bound of those at work."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        push = hub.current()
        address = addresses.network_of(addresses.client_address(scope))
        with contextlib.ExitStack() as stack:
            try:
                budgets.STREAMS.spend(address)
                # Before the place, so that a crowd that comes back waits in line instead of being refused.
                await push.turns.step()
                scope[END] = stack.enter_context(push.admission.handshake())
            except errors.DomainError as error:
                metrics.handshakes_refused.labels(error.code).inc()
                await refuse(scope, send, error)
                if scope["type"] == "websocket":
                    await _until_lost(receive)
            else:
                await self._app(scope, receive, send)


async def _until_lost(receive: Any) -> None:
    """Wait until the server has closed a denied handshake: uvicorn logs an error for an application that returns earlier.

    It says connect, then disconnect for the denial, then disconnect for the connection."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LOST_SECONDS):
            for _ in range(3):
                await receive()


async def refuse(scope: Any, send: Any, error: errors.DomainError) -> None:
    """Answer the handshake of `scope` with a problem. A server that can only close a WebSocket answers 403."""
    if scope["type"] == "http":
        allow = ((b"allow", b"GET"),) if isinstance(error, problems.MethodNotAllowed) else ()
        await answers.refuse(send, error, headers=allow)
    elif _DENIAL in scope.get("extensions", {}):
        await answers.refuse(send, error, kind=_DENIAL)
    else:
        await send({"type": "websocket.close", "code": sockets.TOO_MANY})
