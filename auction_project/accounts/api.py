"""The REST views of accounts: an access token for a page, my account, my personal data and its erasure, roles.

A program gets its tokens from allauth's headless API. The access token is `meta.access_token` of the answer:

    curl -s localhost:8000/_allauth/app/v1/auth/login -H 'Content-Type: application/json' \
        -d '{"email":"ada@example.org","password":"…"}' | python3 -c 'import json,sys;
        print(json.load(sys.stdin)["meta"]["access_token"])'

`POST /_allauth/app/v1/tokens/refresh {"refresh_token": …}` gives the next pair (`data.access_token`,
`data.refresh_token`); the first refresh token is `meta.refresh_token` of the login.
"""

from typing import Any

from allauth.core import ratelimit
from allauth.headless import app_settings as headless_settings
from django.conf import settings
from django.utils import timezone
from drf_spectacular import utils as openapi
from rest_framework import authentication, permissions, request, response, serializers, views

from auction_project.accounts import limits, models, personal, schemas, selectors, services
from auction_project.kernel import errors
from auction_project.kernel.http import api_schemas, rest

GRANTED_BY_OPERATORS = ("bidder", "seller")


class TooManyTokens(errors.TooOften):
    """Too many requests for tokens. Use the token that you have until it ends."""


class Token(serializers.Serializer[Any]):
    """An access token, which ends by itself."""

    access = serializers.CharField(help_text="For `Authorization: Bearer …`.")
    expires_in = serializers.IntegerField(help_text="Seconds.")


class Account(serializers.Serializer[Any]):
    """An account as it is now."""

    sub = serializers.CharField(source="id", help_text="The user's id.")
    email = serializers.EmailField()
    email_verified = serializers.BooleanField()
    roles = serializers.ListField(child=serializers.CharField())
    state = serializers.ChoiceField(models.State.choices)
    created_at = serializers.SerializerMethodField(help_text="Seconds since the epoch.")

    def get_created_at(self, user: models.User) -> int:
        return int(user.date_joined.timestamp())


def _may_be_granted(role: str) -> None:
    if role not in GRANTED_BY_OPERATORS:
        raise serializers.ValidationError(
            f"An operator grants and revokes {' and '.join(GRANTED_BY_OPERATORS)}."
        )


class RoleChangeBody(rest.StrictSerializer):
    """Either `grant` or `revoke`, with the reason that is stored."""

    grant = serializers.CharField(
        required=False, validators=[_may_be_granted], help_text="`seller` or `bidder`."
    )
    revoke = serializers.CharField(
        required=False, validators=[_may_be_granted], help_text="`seller` or `bidder`."
    )
    reason = serializers.CharField(max_length=500, default="By an operator.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("grant" in attrs) == ("revoke" in attrs):
            raise serializers.ValidationError({"grant": "Send either grant or revoke."})
        return attrs


class ErasureBody(rest.StrictSerializer):
    """The password of the account, as it was typed."""

    password = serializers.CharField(max_length=1024, trim_whitespace=False)


class IsOperatorNow(permissions.BasePermission):
    """The token has the role operator, and the account still has it: the token may be five minutes older."""

    message = "This needs the role operator."

    def has_permission(self, request: request.Request, view: views.APIView) -> bool:
        return request.user.has("operator") and "operator" in selectors.get_account(request.user.sub).roles


class TokenView(views.APIView):
    authentication_classes = (authentication.SessionAuthentication,)

    @openapi.extend_schema(request=rest.NothingBody, responses=Token, tags=["accounts"])
    def post(self, request: request.Request) -> response.Response:
        """An access token for the user of the session: for pages, with their CSRF token."""
        rest.NothingBody.of(request.data)
        if not ratelimit.consume(request._request, action="token", user=request.user):
            raise TooManyTokens(**limits.figures_of("token"))
        access = headless_settings.TOKEN_STRATEGY.create_access_token(request._request)
        return response.Response({"access": access, "expires_in": settings.ACCESS_TOKEN_SECONDS})


class MeView(views.APIView):
    @openapi.extend_schema(responses=Account, tags=["accounts"])
    def get(self, request: request.Request) -> response.Response:
        """The account as it is now; the token may be up to five minutes older."""
        return response.Response(Account(selectors.get_account(request.user.sub)).data)


class PersonalDataView(views.APIView):
    @openapi.extend_schema(responses=schemas.PersonalData, tags=["accounts"])
    def get(self, request: request.Request) -> response.Response:
        """Export my personal data: what accounts holds about you. `elsewhere` names where the rest is."""
        return response.Response(personal.export(selectors.get_account(request.user.sub)))


class ErasureView(views.APIView):
    @openapi.extend_schema(
        request=ErasureBody,
        responses={
            204: None,
            403: api_schemas.refusal("wrong_password"),
            409: api_schemas.refusal("staff_account", "already_erased"),
        },
        tags=["accounts"],
    )
    def post(self, request: request.Request) -> response.Response:
        """Delete my account. Needs the password, and can't be undone: orders stay, who you are is deleted."""
        body = ErasureBody.of(request.data)
        user = selectors.get_account(request.user.sub)
        personal.erase_own(user=user, password=body["password"], now=timezone.now())
        return response.Response(status=204)


class RolesView(views.APIView):
    permission_classes = (permissions.IsAuthenticated, IsOperatorNow)

    @openapi.extend_schema(
        request=RoleChangeBody,
        responses={200: Account, 409: api_schemas.refusal("wrong_account_state")},
        tags=["accounts"],
    )
    def post(self, request: request.Request, user_id: str) -> response.Response:
        """Grant or revoke a role (operators). A repeat changes nothing."""
        body = RoleChangeBody.of(request.data)
        change = services.grant_role if "grant" in body else services.revoke_role
        user = change(
            user_id=user_id,
            role=body.get("grant") or body["revoke"],
            reason=body["reason"],
            actor=request.user.sub,
            now=timezone.now(),
        )
        personal.record_look(actor=request.user.sub, page="roles", subject=user.pk, now=timezone.now())
        return response.Response(Account(user).data)
