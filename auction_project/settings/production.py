"""Production: refuses to start, naming the variables, when something is missing, weak or meant for tests."""

import os
from pathlib import Path

from auction_project.kernel import logs
from auction_project.settings import environment, refusals

environment.read(Path(__file__).resolve().parents[2] / ".env")
# Before the base settings, which make a developer's keys for what is missing.
refusals.refuse_incomplete(os.environ)

from auction_project.settings.base import *  # noqa: E402, F403
from auction_project.settings.base import INSTALLED_APPS, LOG_LEVEL, env  # noqa: E402

INSTALLED_APPS = [app for app in INSTALLED_APPS if app != "auction_project.tools"]  # no image holds them

EMAIL_BACKEND = env.str("EMAIL_BACKEND", default=refusals.SMTP)
refusals.refuse_unsafe(os.environ, globals())

SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)

SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
STAFF_SECOND_FACTOR = env.bool("STAFF_SECOND_FACTOR", default=True)
CSRF_COOKIE_SECURE = True
SERVESTATIC_USE_FINDERS = False
LOG_FORMAT = env.str("GAVEL_LOG_FORMAT", default="json")
logs.configure(json=LOG_FORMAT == "json", level=LOG_LEVEL)
