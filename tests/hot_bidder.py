"""One bidder in a process of its own: `python -m tests.hot_bidder URL AUCTION START SECONDS FILE` sends each bid as soon as
the last one is answered, and writes every answer to FILE, as `manage.py load` does.
"""

import asyncio
import sys
import time
from pathlib import Path

from auction_project.tools.load import crowd

CONNECTIONS = 2


def main(url: str, auction_id: str, start: str, seconds: str, file: str) -> None:
    target = crowd.Target(auction_id, "EUR", int(start))
    with Path(file).open("wb") as answers:
        bidder = crowd.make_bidders(1, now=time.time())
        bidding = crowd.Crowd(url, [target], bidder, connections=CONNECTIONS, answers=answers)
        asyncio.run(bidding.run(seconds=float(seconds)))


if __name__ == "__main__":
    main(*sys.argv[1:])
