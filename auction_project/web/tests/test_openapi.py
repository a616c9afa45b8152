"""The OpenAPI document: valid, without a guess, and each answer and problem described with an example that is one."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from drf_spectacular import drainage, generators, renderers, validation
from rest_framework import serializers

from auction_project.kernel import ids
from auction_project.kernel.http import idempotency, rest
from auction_project.web import openapi_examples

PUBLIC = {
    ("get", "/api/v1/time"),
    ("get", "/api/v1/auctions"),
    ("get", "/api/v1/auctions/suggestions"),
    ("get", "/api/v1/auctions/{auction_id}"),
    ("get", "/api/v1/auctions/{auction_id}/history"),
    ("get", "/api/v1/categories"),
    ("get", "/api/v1/offers"),
    ("get", "/api/v1/offers/suggestions"),
    ("get", "/api/v1/offers/{slug}"),
    ("get", "/api/v1/products/{product_id}/image"),
    ("get", "/api/v1/products/{product_id}/thumbnail"),
    ("post", "/_allauth/app/v1/auth/login"),
    ("post", "/_allauth/app/v1/tokens/refresh"),
}
Operation = tuple[str, str, dict[str, Any]]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    drainage.reset_generator_stats()
    schema = generators.SchemaGenerator().get_schema(request=None, public=True)
    return dict(json.loads(renderers.OpenApiJsonRenderer().render(schema, renderer_context={})))


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def validator(document: dict[str, Any], schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator({**schema, "components": document["components"]})


def resolved(document: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in part:
        return part
    _, _, kind, name = part["$ref"].split("/")
    return dict(document["components"][kind][name])


def test_the_document_is_valid_and_made_without_a_guess(document: dict[str, Any]) -> None:
    validation.validate_schema(document)

    assert dict(drainage.GENERATOR_STATS._warn_cache) == {}
    assert dict(drainage.GENERATOR_STATS._error_cache) == {}


def test_a_process_describes_the_whole_api_whichever_apps_it_serves(document: dict[str, Any]) -> None:
    look = "from auction_project.web import openapi; print(openapi.document().decode())"
    printed = subprocess.run(
        [sys.executable, "-c", f"import django; django.setup(); {look}"],
        env={**os.environ, "SERVICES": "accounts"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout

    assert json.loads(printed)["paths"].keys() == document["paths"].keys()


def test_what_needs_a_token_says_which_and_what_is_public_says_so(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    public = set()
    for method, path, operation in operations(document):
        names = [name for choice in operation["security"] for name in choice]
        assert set(names) <= set(schemes), (method, path)
        if not operation["security"]:
            public.add((method, path))
    assert public == PUBLIC
    assert document["paths"]["/api/v1/auctions/{auction_id}/bids"]["post"]["security"] == [
        {"accessToken": []}
    ]


def test_every_answer_has_a_schema_and_an_example_that_fits_it(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        for status, answer in operation["responses"].items():
            place = f"{method} {path} {status}"
            content = resolved(document, answer).get("content", {})
            assert content or status == "204", place
            for kind, media in content.items():
                schema = media["schema"]
                if status < "400" and kind == "application/json":
                    example = resolved(document, schema)["example"]
                    validator(document, schema).validate(example)
                elif "example" in media:
                    validator(document, schema).validate(media["example"])


def test_every_body_that_is_sent_has_an_example_that_fits_it(document: dict[str, Any]) -> None:
    bodies = [
        operation["requestBody"] for _, _, operation in operations(document) if "requestBody" in operation
    ]
    assert bodies
    for body in bodies:
        schema = body["content"]["application/json"]["schema"]
        example = resolved(document, schema)["example"]
        validator(document, schema).validate(example)


def test_every_operation_has_a_summary_that_fits_its_line(document: dict[str, Any]) -> None:
    summaries = [operation.get("summary", "") for _, _, operation in operations(document)]

    assert [summary for summary in summaries if not 0 < len(summary) <= 80 or summary.endswith(".")] == []


def test_every_example_is_of_something(document: dict[str, Any]) -> None:
    assert set(openapi_examples.EXAMPLES) <= set(document["components"]["schemas"])


def test_the_example_of_an_order_has_the_number_of_its_sale() -> None:
    order = openapi_examples.EXAMPLES["OrderDetail"]

    assert ids.auction_of_sale(order["sale_id"])[0] == order["auction_id"]
    assert order["number"] == ids.order_number(order["sale_id"])


def test_every_problem_is_described_and_the_common_ones_everywhere(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        problems = {status for status in operation["responses"] if status >= "400"}
        assert {"400", "429", "503"} <= problems, (method, path)
        assert not operation["security"] or problems & {"401", "403"}, (method, path)
        assert "requestBody" not in operation or {"408", "413", "415"} <= problems, (method, path)
        for status in problems:
            answer = resolved(document, operation["responses"][status])
            assert answer["description"], (method, path, status)
            assert set(answer["content"]) == {"application/problem+json"}, (method, path, status)


def test_the_page_tells_a_newcomer_how_to_begin(document: dict[str, Any]) -> None:
    text = document["info"]["description"]

    for needed in (
        "/_allauth/app/v1/auth/login",
        "/_allauth/app/v1/tokens/refresh",
        "Idempotency-Key",
        "/api/v1/stream",
        "Retry-After",
    ):
        assert needed in text
    for method, path, operation in operations(document):
        assert operation.get("summary") or operation.get("description"), (method, path)


class _Body(rest.StrictSerializer):
    text = serializers.CharField(required=False)
    count = serializers.IntegerField(required=False)
    is_on = serializers.BooleanField(required=False)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"text": 5}, "text"),
        ({"text": True}, "text"),
        ({"text": ["a"]}, "text"),
        ({"count": "5"}, "count"),
        ({"count": True}, "count"),
        ({"count": 1.5}, "count"),
        ({"is_on": "true"}, "is_on"),
        ({"is_on": 1}, "is_on"),
    ],
)
def test_json_of_another_type_is_refused_by_name(body: dict[str, Any], field: str) -> None:
    with pytest.raises(serializers.ValidationError) as refused:
        _Body.of(body)
    assert set(refused.value.detail) == {field}


def test_json_of_the_right_type_is_taken() -> None:
    body = {"text": "5", "count": 5, "is_on": False}

    assert _Body.of(body) == body


@pytest.mark.parametrize("key", [".", "..", "", "a b", "k" * 129, "schl\xfcssel"])
def test_a_key_that_no_address_holds_is_none(key: str) -> None:
    assert idempotency.KEY.fullmatch(key) is None


@pytest.mark.parametrize("key", ["...", ".a", "a..", "a/../b", "k" * 128])
def test_other_keys_are_taken(key: str) -> None:
    assert idempotency.KEY.fullmatch(key) is not None
