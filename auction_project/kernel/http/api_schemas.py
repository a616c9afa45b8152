"""How the apps describe their REST bodies in the OpenAPI document: the shapes that they share. No rule is here."""

from collections.abc import Mapping
from typing import Any

import msgspec
from drf_spectacular.utils import OpenApiResponse, extend_schema_field
from rest_framework import serializers

from auction_project.kernel import money

INSTANT = "Milliseconds since the epoch."
AMOUNT = 'A decimal string such as "125.50".'
PROBLEM = {"$ref": "#/components/schemas/Problem"}
_REF = "#/components/schemas/{name}"


@extend_schema_field({"type": "string", "pattern": r"^(0|[1-9][0-9]{0,14})(\.[0-9]{1,6})?$", "maxLength": 30})
class AmountField(serializers.CharField):
    """An amount as it goes in; its currency stands beside it."""


@extend_schema_field({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"})
class MoneyField(serializers.CharField):
    """An amount as it comes out, with all decimals of its currency."""


class CurrencyField(serializers.ChoiceField):
    def __init__(self, **options: Any) -> None:
        super().__init__(choices=sorted(money.EXPONENTS), **options)


def refusal(*codes: str) -> OpenApiResponse:
    """A problem whose `code` is one of these."""
    return OpenApiResponse(PROBLEM, description="`code`: " + ", ".join(f"`{code}`" for code in codes))


def schema_of(struct: Any) -> dict[str, Any]:
    """The JSON schema of a msgspec type, with everything that it refers to inside it."""
    (found,), components = msgspec.json.schema_components([struct], ref_template=_REF)
    inlined: dict[str, Any] = _inlined(found, components)
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
