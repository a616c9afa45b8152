"""A REST resource is a view and a path: it has errors as problems, access tokens, and its place in the OpenAPI document."""

import json
import time
from types import ModuleType
from typing import Any

import jsonschema
import pytest
from django.urls import include, path
from drf_spectacular import generators, renderers
from drf_spectacular import utils as openapi
from rest_framework import request, response, serializers, views
from rest_framework.test import APIClient

from auction_project import urls
from auction_project.kernel import errors, money, tokens
from auction_project.kernel.http import api_schemas
from auction_project.web import openapi_examples


class CurrencyUnused(errors.NotFound):
    """No lot was ever sold in this currency."""


def get_decimals(*, currency: str) -> int:
    """In place of a selector. Raises CurrencyUnused."""
    if currency not in money.EXPONENTS:
        raise CurrencyUnused(currency=currency)
    return money.EXPONENTS[currency]


class Currency(serializers.Serializer[Any]):
    """A toy resource, to show what a new one takes."""

    code = serializers.CharField()
    decimals = serializers.IntegerField()


class CurrencyView(views.APIView):
    @openapi.extend_schema(
        responses={200: Currency, 404: api_schemas.refusal("currency_unused")}, tags=["bidding"]
    )
    def get(self, _request: request.Request, code: str) -> response.Response:
        """How a currency is written."""
        return response.Response({"code": code, "decimals": get_decimals(currency=code)})


PATH = path("currencies/<str:code>", CurrencyView.as_view(), name="currency")
EXAMPLE = {"code": "EUR", "decimals": 2}


@pytest.fixture
def toy(settings: Any, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The paths of the house with one more, and one more example."""
    with_toy = ModuleType("urls_with_toy")
    with_toy.urlpatterns = [path("api/v1/", include([PATH])), *urls.urlpatterns]  # type: ignore[attr-defined]
    settings.ROOT_URLCONF = with_toy
    monkeypatch.setitem(openapi_examples.EXAMPLES, "Currency", EXAMPLE)
    return with_toy


@pytest.fixture
def client() -> APIClient:
    now = int(time.time())
    token = tokens.sign(sub="a" * 32, roles=("bidder",), created_at=now, now=now, seconds=300)
    return APIClient(headers={"Authorization": f"Bearer {token}"})


def test_a_view_and_a_path_answer_and_refuse_as_all_resources_do(toy: ModuleType, client: APIClient) -> None:
    answer = client.get("/api/v1/currencies/JPY")
    refused = client.get("/api/v1/currencies/XXX")
    unauthenticated = APIClient().get("/api/v1/currencies/JPY")

    assert (answer.status_code, answer.json()) == (200, {"code": "JPY", "decimals": 0})
    assert refused["Content-Type"] == unauthenticated["Content-Type"] == "application/problem+json"
    assert (
        refused.status_code,
        refused.json()["code"],
        refused.json()["detail"],
        refused.json()["currency"],
    ) == (
        404,
        "currency_unused",
        "No lot was ever sold in this currency.",
        "XXX",
    )
    assert (unauthenticated.status_code, unauthenticated.json()["code"]) == (401, "unauthenticated")


def test_it_is_documented_with_its_example_its_problem_and_those_of_all(toy: ModuleType) -> None:
    schema = generators.SchemaGenerator(urlconf=toy).get_schema(request=None, public=True)
    document = json.loads(renderers.OpenApiJsonRenderer().render(schema, renderer_context={}))

    operation = document["paths"]["/api/v1/currencies/{code}"]["get"]
    currency = document["components"]["schemas"]["Currency"]
    assert operation["description"] == "How a currency is written."
    assert set(operation["responses"]) == {"200", "400", "401", "404", "406", "429", "503"}
    assert "currency_unused" in operation["responses"]["404"]["description"]
    assert currency["example"] == EXAMPLE
    jsonschema.Draft202012Validator(currency).validate(EXAMPLE)
