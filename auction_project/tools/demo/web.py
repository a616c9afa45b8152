"""The demo's own pages: the mailbox, and the accounts that a visitor can sign in with. They are routed, and named in
templates, only where `settings.DEMO` is on, which production refuses.
"""

from typing import Any

from django import http
from django.views import generic
from django.views.decorators import cache, clickjacking

from auction_project.tools.demo import mailbox, people

LISTED = 100
# The frame shows a message as its sender wrote it, without scripts, forms and files of other sites; links open outside
# of it.
HTML_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; base-uri 'self'; frame-ancestors 'self';"
    " sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation"
)
FRAMING_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def context(_request: http.HttpRequest) -> dict[str, Any]:
    """What every template may name in a demo: a context processor of the settings."""
    return {"demo": True, "demo_people": people.VISITORS}


class Mails(generic.TemplateView):
    """The newest messages of one box."""

    template_name = "demo/mails.html"

    def get_context_data(self, **given: Any) -> dict[str, Any]:
        box = "crowd" if self.request.GET.get("box") == "crowd" else "visitors"
        mails = mailbox.list_mails(box, limit=LISTED)
        return super().get_context_data(mails=mails, box=box, section="mail", **given)


class Mail(generic.TemplateView):
    """One message: its text with links, or its HTML in a frame of its own."""

    template_name = "demo/mail.html"

    def get_context_data(self, mail_id: str, **given: Any) -> dict[str, Any]:
        return super().get_context_data(mail=_get(mail_id), section="mail", **given)

    def render_to_response(self, context: dict[str, Any], **options: Any) -> http.HttpResponse:
        response = super().render_to_response(context, **options)
        response["Content-Security-Policy"] = FRAMING_POLICY
        return response


@cache.never_cache
@clickjacking.xframe_options_sameorigin
def html(_request: http.HttpRequest, mail_id: str) -> http.HttpResponse:
    """The HTML of a message, for the frame."""
    mail = _get(mail_id)
    if not mail.html:
        raise http.Http404
    response = http.HttpResponse('<base target="_top">' + mail.html)
    response["Content-Security-Policy"] = HTML_POLICY
    return response


def _get(mail_id: str) -> mailbox.Mail:
    mail = mailbox.get_mail(mail_id)
    if mail is None:
        raise http.Http404
    return mail
