"""Fields and helpers by which the apps describe their REST bodies in the OpenAPI document. No rule is here."""

from collections.abc import Mapping
from typing import Any

import msgspec
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema_field
from rest_framework import serializers

from auction_project.kernel import money

INSTANT = "Milliseconds since the epoch."
AMOUNT = 'A decimal string such as "125.50".'
PROBLEM = {"$ref": "#/components/schemas/Problem"}
REQUIRED_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": r"^[\x21-\x7e]{1,128}$", "not": {"enum": [".", ".."]}},
    OpenApiParameter.HEADER,
    required=True,
    description="Fresh for every new request; the same again for a repeat. 1 to 128 visible ASCII characters.",
)
KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="The same again creates nothing a second time, and gets the same answer.",
)
_REF = "#/components/schemas/{name}"


@extend_schema_field({"type": "string", "pattern": f"^{money.AMOUNT_FORM}$", "maxLength": 30})
class AmountField(serializers.CharField):
    """An amount that a client sends: a decimal string with its currency in another field. `money.parse` checks both."""

    def __init__(self, **options: Any) -> None:
        super().__init__(trim_whitespace=False, **options)


@extend_schema_field({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"})
class MoneyField(serializers.CharField):
    """An amount that a client gets: a decimal string with all decimals of its currency (`money.format`)."""


class CurrencyField(serializers.ChoiceField):
    """The ISO 4217 code of a currency that Gavel trades in."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=sorted(money.EXPONENTS), **options)


def refusal(*codes: str) -> OpenApiResponse:
    """The answer of an operation that is a problem with one of these codes."""
    return OpenApiResponse(PROBLEM, description="`code`: " + ", ".join(f"`{code}`" for code in codes))


def schema_of(struct: Any) -> dict[str, Any]:
    """The JSON schema of a msgspec type, without references: all that it refers to is inlined."""
    (schema,), components = msgspec.json.schema_components([struct], ref_template=_REF)
    inlined: dict[str, Any] = _inlined(schema, components)
    return inlined


def _inlined(schema: Any, components: Mapping[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_inlined(part, components) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        target = components[schema["$ref"].rpartition("/")[2]]
        return _inlined(
            target | {name: value for name, value in schema.items() if name != "$ref"}, components
        )
    return {
        name: _inlined(value, components)
        for name, value in schema.items()
        if name not in ("discriminator", "title")
    }
