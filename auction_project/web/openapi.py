"""The views of the OpenAPI document and its interactive page, and the scheme of access tokens for drf-spectacular.

The document is the same for every client, so a process renders it once, on the first request for it.
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
from rest_framework.authentication import SessionAuthentication


class AccessTokenScheme(OpenApiAuthenticationExtension):
    """Describes `rest.AccessTokenAuthentication`."""

    target_class = "auction_project.kernel.http.rest.AccessTokenAuthentication"
    name = "accessToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


_WHOLE_API = "auction_project.api_urls"

_rendering = threading.Lock()  # the generator is not safe in several threads
_rendered: dict[str, bytes] = {}


def document() -> bytes:
    """The OpenAPI document as JSON."""
    with _rendering:
        if "document" not in _rendered:
            schema = SchemaGenerator(urlconf=_WHOLE_API).get_schema(request=None, public=True)
            _rendered["document"] = OpenApiJsonRenderer().render(schema, renderer_context={})
        return _rendered["document"]


def _etag(_request: HttpRequest) -> str:
    return f'"{hashlib.sha256(document()).hexdigest()[:32]}"'


@csrf_exempt  # it answers reads alone
@require_safe
@condition(etag_func=_etag)
def document_view(_request: HttpRequest) -> HttpResponse:
    """`/api/openapi.json`. The query is ignored."""
    return HttpResponse(document(), content_type=OpenApiJsonRenderer.media_type)


# Split: its script is a file of its own, because its Content-Security-Policy forbids inline scripts.
page_view = require_safe(
    SpectacularSwaggerSplitView.as_view(
        url_name="openapi", permission_classes=[], authentication_classes=[SessionAuthentication]
    )
)
