"""Every event that was ever published decodes for ever: `fixtures/<Type>.json`, and `<Type>.<n>.json` for older forms.

A fixture is never changed. When a type grows a field, its fixture is copied to the next `<Type>.<n>.json` first.
"""

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from auction_project.kernel import contracts
from auction_project.kernel.contracts.tests import references
from auction_project.kernel.messaging import broker
from auction_project.web import event_documents

FIXTURES = sorted((Path(__file__).parent / "fixtures").glob("*.json"))
DOCUMENT = Path(__file__).parents[4] / event_documents.TOPICS_FILE


def _name(path: Path) -> str:
    return path.name.split(".")[0]


def _kept_of(value: Any, kept: Any) -> Any:
    """Of `value` what `kept` has, too: a part of a message may have got fields since."""
    if isinstance(kept, dict):
        return {name: _kept_of(value.get(name), part) for name, part in kept.items()}
    if isinstance(kept, list) and len(kept) == len(value):
        return [_kept_of(each, part) for each, part in zip(value, kept, strict=True)]
    return value


def _committed() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(DOCUMENT.read_bytes())
    return document


def test_every_event_has_a_fixture_and_every_fixture_an_event() -> None:
    assert {_name(path) for path in FIXTURES} == set(contracts.events.BY_NAME)
    assert len(FIXTURES) >= 31


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_a_fixture_decodes_to_the_values_that_it_keeps(path: Path) -> None:
    kept = json.loads(path.read_bytes())

    envelope, event = contracts.decode(path.read_bytes())

    attributes = json.loads(msgspec.json.encode(envelope))
    assert {name: attributes[name] for name in kept if name != "data"} == {
        name: value for name, value in kept.items() if name != "data"
    }
    assert type(event).__name__ == kept["type"] == _name(path)
    assert event.key() == kept["subject"]
    values = json.loads(msgspec.json.encode(event))
    assert _kept_of(values, kept["data"]) == kept["data"]


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_the_newest_fixture_keeps_every_field(path: Path) -> None:
    if path.stem != _name(path):
        assert path.with_name(f"{_name(path)}.json").exists()
        return

    kept = json.loads(path.read_bytes())

    assert set(kept["data"]) == set(contracts.events.BY_NAME[_name(path)].__struct_fields__)
    assert set(kept) == {*contracts.Envelope.__struct_fields__, "data"}


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_a_fixture_is_valid_by_the_committed_document(path: Path) -> None:
    document, kept = _committed(), json.loads(path.read_bytes())
    schema = document["components"]["messages"][kept["type"]]["payload"] | {
        "components": document["components"]
    }

    jsonschema.validate(kept, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(kept | {"data": {}}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({name: value for name, value in kept.items() if name != "id"}, schema)


def test_the_committed_document_is_current() -> None:
    assert DOCUMENT.read_bytes() == event_documents.topics(), "run: manage.py asyncapi"


def test_the_document_names_every_topic_and_all_its_references_exist() -> None:
    document = _committed()

    topics = set(contracts.events.TOPICS)
    assert set(document["channels"]) == topics | {topic + broker.DLQ_SUFFIX for topic in topics}
    named = {name for topic in topics for name in document["channels"][topic]["messages"]}
    assert named == set(contracts.events.BY_NAME)
    assert references.resolve_all(document) > 100
