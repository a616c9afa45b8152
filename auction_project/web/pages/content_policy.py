"""The Content-Security-Policy header of every HTML answer: what its page may load.

Our own pages load their own files and nothing else, not even an inline script or style. The admin and the API browser
are third-party pages and get the strictest policy that they work with. No page loads anything from another site, and
none may be framed.
"""

from collections.abc import Callable

from django.core.exceptions import DisallowedHost
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


def header(rules: dict[str, str], *, sockets: str = "") -> str:
    """The header's value. `sockets`: the address of the WebSockets that the page may open."""
    return "; ".join(f"{name} {value.format(sockets=sockets).strip()}" for name, value in rules.items())


class ContentPolicyMiddleware:
    """Adds the header, unless the view has set it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        if response.headers.get("Content-Type", "").startswith("text/html"):
            response.headers.setdefault("Content-Security-Policy", policy(request))
        return response


def policy(request: HttpRequest) -> str:
    """The policy of the page. It names the WebSockets, because not every browser counts them among 'self'; the page that
    refuses a foreign host opens none.
    """
    try:
        sockets = f"{'wss' if request.is_secure() else 'ws'}://{request.get_host()}"
    except DisallowedHost:
        sockets = ""
    rules = next((rules for prefix, rules in _BY_PREFIX if request.path.startswith(prefix)), POLICY)
    return header(rules, sockets=sockets)
