"""The composition root: how a process makes what it has one of, and what a web process starts and stops.

A maker imports what it makes, so that a role loads only what it uses.
"""

import atexit
import contextlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from django.conf import settings

from auction_project.kernel import databases, owned

if TYPE_CHECKING:
    import redis

    from auction_project.accounts.directory import Directory
    from bidding.runtime import Runtime
    from bidding.writer.rounds import Proposal
    from orders.bank_client import BankClient
    from orders.capture_calls import Calls


def install() -> None:
    """Say how each is made. Django calls it in every process, once its apps are ready. At the end of a process that does not
    drain as the roles do (a command, a program), what it made is closed, too."""
    owned.made_by(
        {
            "bid log": _bid_log,
            "capture calls": _capture_calls,
            "directory of accounts": _directory,
            "payment provider": _payment_provider,
            "Redis client": _redis_client,
        }
    )
    atexit.register(owned.close_all)
    databases.send_arrays_in_binary()


async def start_web() -> None:
    """Start, on the running loop, what the SERVICES of this web process need."""
    if "bidding" in settings.SERVICES:
        from bidding import runtime

        await runtime.start(_Announcer())
    if "notifications" in settings.SERVICES:
        from notifications.push import hub

        await hub.start()


async def stop_web() -> None:
    """End every stream, finish what waits, and let go of the stores."""
    if "notifications" in settings.SERVICES:
        from notifications.push import hub

        await hub.stop()
    if "bidding" in settings.SERVICES:
        from bidding import runtime

        await runtime.stop()


def _bid_log() -> "AbstractContextManager[Runtime]":
    from bidding import runtime

    return runtime.on_a_thread(_Announcer)


class _Announcer:
    """From a writer of the bid log to the watchers of its auctions: the public record of what is stored, as a hint."""

    def __init__(self) -> None:
        from bidding import traces
        from bidding.publishing import events
        from notifications import hints

        self._record_of, self._traceparent_of = events.public_record, traces.traceparent
        self._hints = hints.Hints()

    def announce(self, stored: "Sequence[Proposal]") -> None:
        for proposal in stored[: self._hints.room()]:
            record = self._record_of(proposal.entry, proposal.after)
            self._hints.put(record, traceparent=self._traceparent_of(proposal.entry))

    async def close(self) -> None:
        await self._hints.close()


def _payment_provider() -> "contextlib.closing[BankClient]":
    from orders import bank_client

    return contextlib.closing(
        bank_client.BankClient(
            settings.BANK_URL, settings.BANK_API_KEY, read_seconds=settings.BANK_TIMEOUT_SECONDS
        )
    )


def _capture_calls() -> "contextlib.closing[Calls]":
    from orders import capture_calls

    return contextlib.closing(capture_calls.Calls(in_flight=settings.PAYMENT_CALLS_IN_FLIGHT))


def _directory() -> "contextlib.nullcontext[Directory]":
    from auction_project.accounts import directory

    return contextlib.nullcontext(directory.Directory())


def _redis_client() -> "contextlib.closing[redis.Redis]":
    from notifications import redis_clients

    return contextlib.closing(redis_clients.connect())
