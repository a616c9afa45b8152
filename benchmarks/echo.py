"""R1: a bare ASGI application that reads a body and answers 201 with a small JSON, under the server of the web role."""

import argparse
import os
from typing import Any

os.environ["DJANGO_SETTINGS_MODULE"] = "auction_project.settings.base"

import uvicorn

from auction_project.management.commands import web

_BODY = b'{"seq":1,"standing":"leading","price":"10.00","minimum":"10.50"}'
_START = {
    "type": "http.response.start",
    "status": 201,
    "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(_BODY)).encode())],
}


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await receive()
        await send(_START)
        await send({"type": "http.response.body", "body": _BODY})
    elif scope["type"] == "lifespan":
        for phase in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{phase}.complete"})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    uvicorn.Server(web.configuration(application, "127.0.0.1", parser.parse_args().port)).run()
