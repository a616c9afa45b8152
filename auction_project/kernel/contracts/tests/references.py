"""The references of a JSON document to parts of itself."""

from collections.abc import Iterator
from typing import Any


def resolve_all(document: dict[str, Any]) -> int:
    """How many references there are. Raises KeyError for one to a part that is missing."""
    references = list(_references(document))
    for reference in references:
        part: Any = document
        for name in reference.removeprefix("#/").split("/"):
            part = part[name]
    return len(references)


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "$ref":
                yield inner
            else:
                yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)
