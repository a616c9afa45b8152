"""The AsyncAPI documents of the topics and of the streams, as the site serves them and as `docs/` holds them."""

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_cache_control
from django.views.decorators import http

from auction_project.kernel.contracts import asyncapi
from auction_project.kernel.messaging import broker, dead_letters
from notifications.push import asyncapi as streams

TOPICS_FILE = Path("docs/asyncapi.json")
STREAMS_FILE = Path("docs/asyncapi-sockets.json")
CACHED_SECONDS = 3600


@functools.cache
def topics() -> bytes:
    """The document of all events."""
    return _rendered(
        asyncapi.document(
            partitions=broker.PARTITIONS,
            dead_letter=dead_letters.Letter,
            dead_letter_suffix=broker.DLQ_SUFFIX,
        )
    )


@functools.cache
def sockets() -> bytes:
    """The document of the WebSocket and the server-sent events."""
    return _rendered(streams.document())


def _rendered(document: dict[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _view(rendered: Callable[[], bytes]) -> Callable[[HttpRequest], HttpResponse]:
    @http.require_safe
    @http.etag(lambda _request: f'"{hashlib.sha256(rendered()).hexdigest()[:32]}"')
    def view(_request: HttpRequest) -> HttpResponse:
        answer = HttpResponse(rendered(), content_type="application/json")
        patch_cache_control(answer, public=True, max_age=CACHED_SECONDS)
        return answer

    return view


topics_view, sockets_view = _view(topics), _view(sockets)
DOCUMENTS = {TOPICS_FILE: topics, STREAMS_FILE: sockets}
