"""What a page may load: a Content-Security-Policy header on every answer that is HTML.

The house's own pages load their own files and nothing else, no inline script or style. The admin and the API browser
are others' work and get the least that they work with. None of them loads anything from elsewhere, or may be framed.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' blob:",  # blob: a picture that the user chose and has not sent yet
    "connect-src": "'self' {sockets}",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
# Inline scripts and styles, and Alpine, which evaluates the expressions of attributes.
ADMIN_POLICY = POLICY | {
    "script-src": "'self' 'unsafe-inline' 'unsafe-eval'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data:",
    "font-src": "'self'",
}
API_POLICY = POLICY | {"style-src": "'self' 'unsafe-inline'", "img-src": "'self' data:"}
_BY_PREFIX = (("/admin/", ADMIN_POLICY), ("/api/", API_POLICY))


class ContentPolicyMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        if response.headers.get("Content-Type", "").startswith("text/html"):
            response.headers.setdefault("Content-Security-Policy", policy(request))
        return response


def policy(request: HttpRequest) -> str:
    """Not every browser counts WebSockets among 'self': they are named. The host was checked against ALLOWED_HOSTS."""
    sockets = f"{'wss' if request.is_secure() else 'ws'}://{request.get_host()}"
    found = next((found for prefix, found in _BY_PREFIX if request.path.startswith(prefix)), POLICY)
    return "; ".join(f"{name} {value.format(sockets=sockets)}" for name, value in found.items())
