"""Tests: the same code on the same kinds of servers; only what would slow a test down is lighter."""

from auction_project.settings.base import *  # noqa: F403
from auction_project.settings.base import DATABASES, env

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
MONGODB_DATABASE = env.str("MONGODB_DATABASE", default="gavel_test")
for _database in DATABASES.values():
    _database["OPTIONS"].pop("pool")  # a pool's threads outlive the test databases
    _database["TEST"] = {"DEPENDENCIES": []}  # one app's tests need no other app's database
