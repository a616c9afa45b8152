"""Fixtures for every test: this process's bid log runtime ends with the session; tests name the databases they use."""

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session", autouse=True)
def _end_the_bid_logs_thread() -> Iterator[None]:
    yield
    from bidding import runtime

    runtime.stop_thread()


@pytest.fixture
def admin_client(db: None) -> Any:
    """A client whose user is a superuser, made as `manage.py create_account` makes one."""
    from django.test import Client
    from django.utils import timezone

    from auction_project.accounts import services

    user = services.create_account(
        email="root@example.org",
        password=None,
        verified=True,
        superuser=True,
        actor="test",
        now=timezone.now(),
    )
    client = Client()
    client.force_login(user)
    return client
