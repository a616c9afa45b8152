"""The shop window: the open lots, which are read once for the whole crowd."""

from collections import Counter
from typing import Any

from auction_project.tools.demo import turns
from auction_project.tools.demo.client import Client

LOOK_SECONDS = 2.0
LOTS = 100


class Window:
    """`lots` are at most LOOK_SECONDS old while the web process answers."""

    def __init__(self, client: Client, failures: Counter[str]) -> None:
        self._client = client
        self._failures = failures
        self.lots: list[dict[str, Any]] = []
        self.open_lots = 0

    async def run(self) -> None:
        """Read the list again and again until cancelled."""
        await turns.keep_taking(self.look, pause=lambda: LOOK_SECONDS, failures=self._failures)

    async def look(self) -> None:
        """Read the list once. Raises client.NoAnswer."""
        page = await self._client.get("/api/v1/auctions", status="OPEN", order="ends_at", page_size=LOTS)
        self.lots, self.open_lots = page["items"], page["total"]

    def of_format(self, name: str) -> list[dict[str, Any]]:
        return [lot for lot in self.lots if lot["format"] == name]

    def lot_of(self, product_id: str) -> str | None:
        """The open lot of a product."""
        return next((str(lot["id"]) for lot in self.lots if lot["product_id"] == product_id), None)
