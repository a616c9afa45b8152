"""R1: a bare ASGI application that reads a body and answers 201 with a small JSON, under the same server options."""

import argparse
from typing import Any

import uvicorn

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


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    uvicorn.run(
        application,
        port=parser.parse_args().port,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
    )
