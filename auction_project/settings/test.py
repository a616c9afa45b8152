"""Tests: the same code on the same kinds of servers; only what would slow a test down is lighter."""

import os

from auction_project.settings.base import *  # noqa: F403
from auction_project.settings.base import CELERY_BROKER_URL, DATABASES, MIDDLEWARE, env

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# It looks at every static file when an application is made, as each client of a test does.
MIDDLEWARE.remove("servestatic.middleware.ServeStaticMiddleware")
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
# The tests' requests all come from one address; those of the budgets bring their own.
ANONYMOUS_REQUESTS_PER_SECOND = USER_REQUESTS_PER_SECOND = 0
SHOP_CACHE = False  # what a test changes is undone without a commit, which the cache cannot see
STREAMS_PER_SECOND = AUCTIONS_PER_HOUR = BIDS_PER_SECOND = 0
MONGODB_DATABASE = env.str("MONGODB_DATABASE", default="gavel_test")
for _database in DATABASES.values():
    _database["OPTIONS"].pop("pool")  # a pool's threads outlive the test databases
    _database["TEST"] = {"DEPENDENCIES": []}  # one app's tests need no other app's database
# gw0, gw1 ...: several at once, each with queues of its own.
_process = env.str("PYTEST_XDIST_WORKER", default="")
if _process:
    CELERY_BROKER_URL = f"{CELERY_BROKER_URL.rpartition('/')[0]}/{2 + int(_process.removeprefix('gw'))}"
    os.environ["CELERY_BROKER_URL"] = CELERY_BROKER_URL  # which Celery prefers to the setting
