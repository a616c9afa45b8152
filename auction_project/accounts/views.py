"""The pages of accounts that allauth does not have: the sessions of an account, and its personal data."""

from typing import Any

from allauth.account.internal import flows
from allauth.usersessions import models as usersession_models
from django import http
from django.contrib import messages
from django.contrib.auth import mixins
from django.shortcuts import redirect
from django.utils import timezone
from django.views import generic

from auction_project.accounts import personal, sessions
from auction_project.kernel import errors
from auction_project.kernel.http import problems


class SessionsView(mixins.LoginRequiredMixin, generic.TemplateView):
    """The sessions of the account, and the buttons that end them."""

    template_name = "account/sessions.html"

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        rows = usersession_models.UserSession.objects.purge_and_list(self.request.user)
        newest = sorted(rows, key=lambda session: session.created_at, reverse=True)
        return super().get_context_data(section="account", sessions=newest, **context)

    def post(self, request: http.HttpRequest) -> http.HttpResponse:
        user_id, current, now = request.user.pk, request.session.session_key, timezone.now()
        if "others" in request.POST:
            sessions.end_all(user_id=user_id, reason="ended_in_list", now=now, but=current)
            return redirect("account_sessions")
        key = sessions.key_of(user_id=user_id, number=request.POST.get("session", ""))
        if key:
            sessions.end(user_id=user_id, session_keys=[key], reason="ended_in_list", now=now)
        if key == current:
            flows.logout.logout(request)
            return redirect("account_login")
        return redirect("account_sessions")


class PersonalDataPage(mixins.LoginRequiredMixin, generic.TemplateView):
    """The link to the export of the user's data, and the form that deletes the account."""

    template_name = "account/personal_data.html"

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        return super().get_context_data(section="account", **context)

    def post(self, request: http.HttpRequest) -> http.HttpResponse:
        try:
            personal.erase_own(
                user=request.user, password=request.POST.get("password", ""), now=timezone.now()
            )
        except errors.DomainError as error:
            page = self.render_to_response(self.get_context_data(problem=error.detail))
            page.status_code = problems.status_of(error)
            return page
        flows.logout.logout(request, show_message=False)
        messages.success(request, "Your account has been deleted.")
        return redirect("home")


class ExportView(mixins.LoginRequiredMixin, generic.View):
    """The export as a file."""

    def get(self, request: http.HttpRequest) -> http.HttpResponse:
        answer = http.JsonResponse(personal.export(request.user), json_dumps_params={"indent": 2})
        answer.headers["Content-Disposition"] = 'attachment; filename="gavel-account.json"'
        answer.headers["Cache-Control"] = "no-store"
        return answer
