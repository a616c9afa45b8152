"""Which limit an answer 429 of allauth's is about. allauth counts the attempts itself (ACCOUNT_RATE_LIMITS).

allauth does not say when the window opens again, so Retry-After is the whole window, after which nothing is counted.
"""

import math

from allauth.account import app_settings as allauth_settings
from allauth.core.internal import ratelimit
from django.http import HttpRequest, HttpResponse

from auction_project.accounts import metrics
from auction_project.kernel import errors, logs
from auction_project.kernel.http import problems

log = logs.get(__name__)

# By the name of the URL: allauth's name of the limit. First its API for programs, then its pages.
RULES = {
    "login": "login",
    "signup": "signup",
    "request_password_reset": "reset_password",
    "reset_password": "reset_password_from_key",
    "change_password": "change_password",
    "reauthenticate": "reauthenticate",
    "manage_email": "manage_email",
    "manage_phone": "change_phone",
    "account_login": "login",
    "account_signup": "signup",
    "account_reset_password": "reset_password",
    "account_reset_password_from_key": "reset_password_from_key",
    "account_change_password": "change_password",
    "account_reauthenticate": "reauthenticate",
    "account_email": "manage_email",
}


def figures_of(rule: str) -> dict[str, str | int]:
    """The figures of the limit `rule` for a problem: its name, its rate as in the settings ("30/m/ip"), and the seconds
    after which nothing is counted.
    """
    limit = allauth_settings.RATE_LIMITS[rule]
    seconds = max(math.ceil(rate.duration) for rate in ratelimit.parse_rates(limit))
    return {"rule": rule, "limit": limit, "retry_after_seconds": seconds}


def too_often(request: HttpRequest) -> errors.TooOften:
    """The problem of a request that one of allauth's limits refused."""
    name = request.resolver_match.url_name if request.resolver_match else None
    rule = RULES.get(name or "", "other")
    metrics.REFUSED_BY_LIMIT.labels(rule).inc()
    log.warning("request_limited", rule=rule, path=request.path)
    return errors.TooOften(**figures_of(RULES[name])) if name in RULES else errors.TooOften()


def page_too_often(request: HttpRequest) -> HttpResponse:
    """The answer of allauth's pages: `handler429` of the URLs. The middleware of problems makes a page of it."""
    return problems.response(too_often(request))
