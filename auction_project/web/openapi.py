"""The OpenAPI document and its interactive page: what drf-spectacular cannot find out by itself, and how both are served.

The document is the same for everyone, so a process renders it once, on the first request for it.
"""

import hashlib
import threading
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import condition, require_safe
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.views import SpectacularSwaggerSplitView


class AccessTokenScheme(OpenApiAuthenticationExtension):
    target_class = "auction_project.kernel.http.rest.AccessTokenAuthentication"
    name = "accessToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


_rendering = threading.Lock()  # the generator is not safe in several threads
_rendered: dict[str, bytes] = {}


def document() -> bytes:
    """The OpenAPI document as JSON."""
    with _rendering:
        if "document" not in _rendered:
            schema = SchemaGenerator().get_schema(request=None, public=True)
            _rendered["document"] = OpenApiJsonRenderer().render(schema, renderer_context={})
        return _rendered["document"]


def _etag(_request: HttpRequest) -> str:
    return f'"{hashlib.sha256(document()).hexdigest()[:32]}"'


@csrf_exempt  # nothing but reading is answered
@require_safe
@condition(etag_func=_etag)
def document_view(_request: HttpRequest) -> HttpResponse:
    """`/api/openapi.json`: the query says nothing, whatever it holds."""
    return HttpResponse(document(), content_type=OpenApiJsonRenderer.media_type)


# Split: its script is a file of its own, as its Content-Security-Policy wants it.
page_view = require_safe(
    SpectacularSwaggerSplitView.as_view(url_name="openapi", permission_classes=[], authentication_classes=[])
)
