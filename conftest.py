"""What holds for every test: no result depends on the machine's speed, what this process owns is closed with the session, and
tests name the databases they use."""

from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest

hypothesis.settings.register_profile(
    "no clock", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("no clock")


@pytest.fixture(scope="session", autouse=True)
def _close_what_this_process_owns() -> Iterator[None]:
    yield
    from auction_project.kernel import owned

    owned.close_all()


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
