"""The pages of accounts that allauth does not have: where an account is signed in."""

from typing import Any

from allauth.account.internal import flows
from allauth.usersessions import models as usersession_models
from django import http
from django.contrib.auth import mixins
from django.shortcuts import redirect
from django.utils import timezone
from django.views import generic

from auction_project.accounts import sessions


class SessionsView(mixins.LoginRequiredMixin, generic.TemplateView):
    """Where the account is signed in, and the buttons that end it."""

    template_name = "account/sessions.html"

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        found = usersession_models.UserSession.objects.purge_and_list(self.request.user)
        newest = sorted(found, key=lambda session: session.created_at, reverse=True)
        return super().get_context_data(section="account", sessions=newest, **context)

    def post(self, request: http.HttpRequest) -> http.HttpResponse:
        current = request.session.session_key
        keys = sessions.list_keys(request.user.pk)
        if "others" in request.POST:
            keys = [key for key in keys if key != current]
        else:
            keys = [sessions.key_of(user_id=request.user.pk, number=request.POST.get("session", ""))]
        sessions.end(
            user_id=request.user.pk,
            session_keys=[key for key in keys if key],
            reason="ended_in_list",
            now=timezone.now(),
        )
        if current in keys:
            flows.logout.logout(request)
            return redirect("account_login")
        return redirect("account_sessions")
