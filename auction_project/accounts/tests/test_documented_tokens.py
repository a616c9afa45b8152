"""Log in and refresh are documented as allauth answers them: each status, and the members that a program reads."""

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from drf_spectacular import generators, renderers

from auction_project.accounts import models
from auction_project.accounts.tests.conftest import PASSWORD, App

pytestmark = pytest.mark.django_db(databases=["default"])
LOG_IN, REFRESH = "/_allauth/app/v1/auth/login", "/_allauth/app/v1/tokens/refresh"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    schema = generators.SchemaGenerator().get_schema(request=None, public=True)
    return dict(json.loads(renderers.OpenApiJsonRenderer().render(schema, renderer_context={})))


def test_log_in_and_refresh_answer_as_they_are_documented(
    make: Callable[..., models.User], app: App, document: dict[str, Any]
) -> None:
    make("ada")
    make("bob", verified=False)

    def ask(path: str, body: Any, expected: int, **credentials: str) -> dict[str, Any]:
        status, answer = app.post(path, body, **credentials)
        described = document["paths"][path]["post"]["responses"][str(status)]
        if "$ref" in described:
            described = document["components"]["responses"][described["$ref"].rpartition("/")[2]]
        (media,) = described["content"].values()
        schema = {**media["schema"], "components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate(answer)
        assert status == expected
        return dict(answer)

    tokens = ask(LOG_IN, {"email": "ada@example.org", "password": PASSWORD}, 200)["meta"]
    ask(LOG_IN, {"email": "ada@example.org", "password": "wrong"}, 400)
    ask(LOG_IN, {"email": "bob@example.org", "password": PASSWORD}, 401)
    ask(LOG_IN, {"email": "ada@example.org", "password": PASSWORD}, 409, session=tokens["session_token"])
    pair = ask(REFRESH, {"refresh_token": tokens["refresh_token"]}, 200)["data"]
    repeat = ask(REFRESH, {"refresh_token": tokens["refresh_token"]}, 200)["data"]
    assert repeat["refresh_token"] == pair["refresh_token"]
    ask(REFRESH, {"refresh_token": "forged"}, 400)
    assert app.get("/api/v1/me", token=pair["access_token"])[0] == 200
