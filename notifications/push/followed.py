"""Which feeds the sockets of this process follow, and the read that brings their subscribers what they lack."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Generic, TypeVar

from notifications.push import clock, due, feeds, subscription

_Feed = TypeVar("_Feed", bound=feeds.Feed)
_Read = TypeVar("_Read")


class Followed(ABC, Generic[_Feed, _Read]):
    """The feeds of one kind, by key. Methods that are no coroutines never wait; the coroutines are each one pass of a loop
    of the hub."""

    def __init__(self, *, channels: subscription.Subscription, clock: clock.Clock) -> None:
        self.feeds: dict[str, _Feed] = {}
        self._channels = channels
        self._clock = clock
        self._due = due.Due(lambda key: len(self.feeds.get(key, ())))

    def doubt(self, feed: _Feed) -> None:
        """Frames of `feed` may have been missed: read the store."""
        feed.doubt()
        self._mark(feed)

    def _mark(self, feed: _Feed) -> None:
        if feed.due:
            self._due.add(feed.key)

    async def catch_up(self) -> None:
        """Read the store once for the feeds that are due, and give their subscribers what they lack."""
        async with self._due.taken() as keys:
            questions = {key: question for key in keys if (question := self._question(key)) is not None}
            reads = await self._read(questions) if questions else {}
        for key, read in reads.items():
            if (feed := self.feeds.get(key)) is not None:
                self._catch_up(feed, questions[key], read)
                await asyncio.sleep(0)  # a feed may have many subscribers
        again = [key for key in questions if self._question(key) is not None]
        await self._due.add_again(again, self._clock)

    def _question(self, key: str) -> feeds.Question | None:
        feed = self.feeds.get(key)
        return None if feed is None else feed.question()

    @abstractmethod
    async def _read(self, questions: Mapping[str, feeds.Question]) -> dict[str, _Read]:
        """Read what the store holds after the seq that each question names."""

    @abstractmethod
    def _catch_up(self, feed: _Feed, question: feeds.Question, read: _Read) -> None:
        """Give the subscribers of `feed` what was read."""
