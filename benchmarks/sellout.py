"""A listing of UNITS units that as many buyers empty at once: until all bids are accepted, all sales are settled, and all mails
are sent. All seconds count from the first request.
"""

import asyncio
import time

from benchmarks import figures, market, processes
from benchmarks.figures import Figure
from notifications import models as notices

UNITS = 1_000
CONNECTIONS = 256
_WAITING = (notices.EmailState.PENDING, notices.EmailState.SENDING)


def run() -> list[Figure]:
    with processes.whole() as house:
        return house.verified(asyncio.run(_measure(house)))


async def _measure(house: processes.House) -> list[Figure]:
    buyers = await asyncio.to_thread(market.make_buyers, UNITS)
    async with market.links(house.url, CONNECTIONS) as to:
        listing = await market.open_listing(to, UNITS)
        one = await _bought(to, await market.open_listing(to), buyers[0])
        alone = await asyncio.to_thread(market.wait_for_ends, [one])
        with processes.Costs(house) as costs:
            began = time.monotonic()
            await asyncio.gather(*(_bought(to, listing, buyer) for buyer in buyers))
            accepted = time.monotonic() - began
            await market.wait_until(lambda: _is_settled(to, listing))
            settled = time.monotonic() - began
            await market.wait_until(lambda: asyncio.to_thread(_are_mails_sent))
            mailed = time.monotonic() - began
    ends = {"all bids accepted": accepted, "all settled": settled, "all mails sent": mailed}
    return [
        *(
            Figure(
                name=f"a listing of {UNITS:,} units, {what}", value=seconds, unit="s", beside="one sale alone",
                reference=alone[0], goal=figures.at_most(5),
            )
            for what, seconds in ends.items()
        ),
        costs.each("CPU of a sale, sold out", UNITS),
    ]  # fmt: skip


async def _bought(to: market.Links, listing: str, buyer: market.Buyer) -> market.Sale:
    sale = await market.buy(to, listing, buyer)
    if sale is None:
        raise RuntimeError("a purchase was refused")
    return sale


async def _is_settled(to: market.Links, listing: str) -> bool:
    """Whether the log has the end of each sale."""
    status, auction = await to.get(f"/api/v1/auctions/{listing}")
    return status == 200 and (auction["sold"], auction["undecided_sales"]) == (UNITS, 0)


def _are_mails_sent() -> bool:
    """Whether each buyer has the news of the order, and no e-mail waits."""
    confirmed = notices.Notification.objects.filter(kind="ORDER_CONFIRMED").count()
    return confirmed > UNITS and not notices.Email.objects.filter(state__in=_WAITING).exists()
