"""Writes that gather go in one statement at the end of their block, in order; in a savepoint, and alone, they go at once."""

import contextlib
from datetime import UTC, datetime

import pytest
from django.db import connections, transaction
from django.test.utils import CaptureQueriesContext

from auction_project.kernel import writes
from auction_project.kernel.messaging import once
from auction_project.kernel.messaging.tests import tables

pytestmark = [pytest.mark.django_db(databases=["default"]), pytest.mark.usefixtures("event_tables")]

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def row(key: str) -> once.OnceRow:
    return tables.Once(key=key, state=once.State.DONE, outcome={"says": f"it's {key}"}, created_at=NOW)


def stored() -> list[str]:
    return list(tables.Once.objects.order_by("key").values_list("key", flat=True))


def test_writes_of_a_block_are_one_statement_at_its_end() -> None:
    with (
        CaptureQueriesContext(connections["default"]) as sent,
        transaction.atomic(using="default"),
        writes.together("default"),
    ):
        writes.insert(tables.Once, [row("a"), row("b")])
        writes.insert(tables.Once, [row("c")])
        before = stored()

    assert (before, stored()) == ([], ["a", "b", "c"])
    assert sum("INSERT" in query["sql"] for query in sent) == 1
    assert tables.Once.objects.get(key="a").outcome == {"says": "it's a"}


def test_only_events_wait_where_a_block_takes_no_more() -> None:
    with transaction.atomic(using="default"), writes.together("default", takes_all=False):
        writes.insert(tables.Once, [row("a")])

        assert stored() == ["a"]


def test_a_write_in_a_savepoint_is_rolled_back_with_it_and_the_others_stay() -> None:
    with transaction.atomic(using="default"), writes.together("default"):
        writes.insert(tables.Once, [row("a")])
        with contextlib.suppress(RuntimeError), transaction.atomic(using="default"):
            writes.insert(tables.Once, [row("b")])
            raise RuntimeError

    assert stored() == ["a"]


def test_an_error_in_the_block_leaves_nothing() -> None:
    with contextlib.suppress(RuntimeError), transaction.atomic(using="default"), writes.together("default"):
        writes.insert(tables.Once, [row("a")])
        raise RuntimeError

    assert stored() == []


def test_a_write_may_refer_to_one_before_it() -> None:
    insertion = writes.insertion(tables.Once, [row("a")])
    insertion.sql += " RETURNING key"
    copied = writes.Write(
        f'INSERT INTO "{tables.Once._meta.db_table}" (key, state, outcome, created_at) '  # noqa: S608
        "SELECT first.key || mark, 'DONE', '{}', now() FROM first CROSS JOIN unnest(%s::text[]) AS mark",
        [["-1", "-2"]],
    )
    with transaction.atomic(using="default"), writes.together("default"):
        writes.write("default", {"first": insertion, "copied": copied})

    assert stored() == ["a", "a-1", "a-2"]


@pytest.mark.django_db(databases=["default"], transaction=True)
def test_writes_gather_inside_a_transaction_only() -> None:
    with pytest.raises(transaction.TransactionManagementError), writes.together("default"):
        pass
