"""What a page may load: its own files and nothing else, no inline script or style. A Content-Security-Policy header on
every answer that is HTML, save below the prefixes whose pages are others' work (the admin, the API browser).
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

EXEMPT_PREFIXES = ("/admin/", "/api/")
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


class ContentPolicyMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        is_html = response.headers.get("Content-Type", "").startswith("text/html")
        if is_html and not request.path.startswith(EXEMPT_PREFIXES):
            response.headers.setdefault("Content-Security-Policy", policy(request))
        return response


def policy(request: HttpRequest) -> str:
    """Not every browser counts WebSockets among 'self': they are named. The host was checked against ALLOWED_HOSTS."""
    sockets = f"{'wss' if request.is_secure() else 'ws'}://{request.get_host()}"
    return "; ".join(f"{name} {value.format(sockets=sockets)}" for name, value in POLICY.items())
