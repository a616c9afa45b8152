"""How allauth's headless API signs tokens: its JWT strategy, with our claims. `auction_project.tokens` verifies them.

allauth adds sub, iat, exp, jti, sid and token_use. A refresh token holds once and ends with its session; the account
is read anew each time, so one that was barred or closed gets nothing, and changed roles show in the next token.
"""

from typing import Any

from allauth.headless.tokens.strategies import jwt
from django.http import HttpRequest

from auction_project.accounts import headless, models, selectors


class AccessTokenStrategy(jwt.JWTTokenStrategy):
    def get_claims(self, user: models.User) -> dict[str, Any]:
        return selectors.get_claims(user)

    def create_access_token(self, request: HttpRequest) -> str | None:
        return super().create_access_token(request) if request.user.is_active else None

    def refresh_token(self, refresh_token: str) -> tuple[str, str]:
        """Raises RefreshTokenInvalid."""
        pair = super().refresh_token(refresh_token)
        if pair is None:
            raise headless.RefreshTokenInvalid(field="refresh_token")
        return pair
