"""Follows an auction over a WebSocket, until Ctrl-C: python docs/follow.py URL TOKEN AUCTION. A ticket opens one
connection."""

import asyncio
import contextlib
import json
import sys
import urllib.error
import urllib.request

import websockets

url, token, auction = sys.argv[1:]


def get_ticket() -> str:
    request = urllib.request.Request(
        f"{url}/api/v1/notifications/ticket", method="POST", headers={"Authorization": f"Bearer {token}"}
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return str(json.load(answer)["ticket"])
    except urllib.error.HTTPError as error:
        sys.exit(f"The ticket was refused with {error.code}. A token lives five minutes: get a new one.")


async def follow(ticket: str) -> None:
    """Print each message until the connection ends."""
    address = f"{url.replace('http', 'ws', 1)}/ws/v1/stream?ticket={ticket}"
    async with websockets.connect(address, origin=url) as socket:
        await socket.send(json.dumps({"type": "watch", "auction_id": auction, "after": 0}))
        async for message in socket:
            print(message, flush=True)


with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(follow(get_ticket()))
