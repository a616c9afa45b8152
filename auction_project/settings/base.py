"""Every setting, read from the environment (see `environment`): `.env.example` gives each variable's meaning.

The defaults suit a developer's machine; the servers' addresses come from a site engineer or from the embedded servers.
"""

import ssl
from pathlib import Path
from typing import Any

from auction_project import VERSION
from auction_project.kernel import databases, logs
from auction_project.settings import development_keys, environment, risk, traces

BASE_DIR = Path(__file__).resolve().parents[2]

env = environment.read(BASE_DIR / ".env")
VAR_DIR = Path(env.str("GAVEL_VAR_DIR", default=str(BASE_DIR / "var")))  # files of a developer's machine

# --- what a site must set (production checks them) ---------------------------------------------------------------
DEBUG = env.bool("DEBUG", default=False)
DEMO = env.bool(
    "GAVEL_DEMO", default=False
)  # a mailbox and one-click sign-in, for all to see: the demo on one machine
SECRET_KEY = env.str("SECRET_KEY", default="") or development_keys.secret_key(VAR_DIR)
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
PUBLIC_URL = env.str("PUBLIC_URL", default="http://localhost:8000")
TRUSTED_PROXY_COUNT = env.int(
    "TRUSTED_PROXY_COUNT", default=0
)  # the only thing that makes forwarded headers count

# --- signing keys: accounts signs access tokens with the private key; every other process needs the public one -----
JWT_PRIVATE_KEY = env.str("JWT_PRIVATE_KEY", multiline=True, default="")
JWT_PUBLIC_KEY = env.str("JWT_PUBLIC_KEY", multiline=True, default="")
if not (JWT_PRIVATE_KEY or JWT_PUBLIC_KEY):
    JWT_PRIVATE_KEY = development_keys.jwt_private_key(VAR_DIR)
if not JWT_PUBLIC_KEY:
    JWT_PUBLIC_KEY = development_keys.public_key_of(JWT_PRIVATE_KEY)
JWT_SECOND_PUBLIC_KEY = env.str("JWT_SECOND_PUBLIC_KEY", multiline=True, default="")  # during a rotation
ACCESS_TOKEN_SECONDS = 300
REFRESH_TOKEN_SECONDS = 24 * 3600

# --- stores: TLS and its files stand in the URLs -------------------------------------------------------------------
DATABASES = {
    alias: env.db_url(
        f"DATABASE_URL_{alias.upper()}", default=f"postgres://gavel_{alias}@127.0.0.1:5432/gavel_{alias}"
    )
    for alias in databases.ALIASES
}
DATABASE_POOL = {
    "min_size": 1,
    "max_size": env.int("DATABASE_POOL_SIZE", default=8),
    "timeout": 1.5,  # a request without PostgreSQL gets 503 within two seconds
    "reconnect_timeout": 3,  # then it begins anew at the next request, instead of pausing longer and longer
    "max_lifetime": 600,
}
# A process that is suspended with a row locked must not hold up others: they give up waiting, and the server ends its
# transaction. Both sides notice a machine that is gone.
_SESSION = {
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "30s",
    "tcp_keepalives_idle": 5,
    "tcp_keepalives_interval": 2,
    "tcp_keepalives_count": 3,
}
for _database in DATABASES.values():
    _database["CONN_MAX_AGE"] = 0
    _database["CONN_HEALTH_CHECKS"] = False  # the engine has a check of its own
    if _database["ENGINE"] == "django.db.backends.postgresql":
        _database["ENGINE"] = databases.ENGINE
    _database["OPTIONS"] = {
        **_database.get("OPTIONS", {}),
        "pool": DATABASE_POOL,
        "connect_timeout": 2,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
        "options": " ".join(f"-c {name}={value}" for name, value in _SESSION.items()),
        "application_name": "gavel",
        "server_side_binding": True,  # what `databases.send_arrays_in_binary` needs
    }
DATABASE_ROUTERS = ["auction_project.kernel.databases.Router"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

MONGODB_URL = env.str("MONGODB_URL", default="mongodb://127.0.0.1:27017/")
MONGODB_DATABASE = env.str("MONGODB_DATABASE", default="gavel")
REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:6379/0")
KAFKA_BOOTSTRAP_SERVERS = env.str("KAFKA_BOOTSTRAP_SERVERS", default="")
_KAFKA_OPTIONS = {
    "KAFKA_SECURITY_PROTOCOL": "security.protocol",
    "KAFKA_SASL_MECHANISM": "sasl.mechanism",
    "KAFKA_SASL_USERNAME": "sasl.username",
    "KAFKA_SASL_PASSWORD": "sasl.password",
    "KAFKA_SSL_CA_FILE": "ssl.ca.location",
    "KAFKA_SSL_CERT_FILE": "ssl.certificate.location",
    "KAFKA_SSL_KEY_FILE": "ssl.key.location",
    "KAFKA_SSL_KEY_PASSWORD": "ssl.key.password",
}
KAFKA_OPTIONS = {option: env.str(variable) for variable, option in _KAFKA_OPTIONS.items() if variable in env}
# Keeps installations apart that share one transport.
EVENTS_NAMESPACE = env.str("EVENTS_NAMESPACE", default="")

# --- retention: what maintenance (role relay) deletes after how many days ------------------------------------------
EVENTS_KEEP_DAYS = env.int("EVENTS_KEEP_DAYS", default=7)  # outboxes; inboxes and Kafka's topics a day longer
DEAD_LETTERS_KEEP_DAYS = env.int("DEAD_LETTERS_KEEP_DAYS", default=90)
EMAILS_KEEP_DAYS = env.int("EMAILS_KEEP_DAYS", default=90)
PERSONAL_DATA_VIEWS_KEEP_DAYS = env.int("PERSONAL_DATA_VIEWS_KEEP_DAYS", default=365)
DEVICES_KEEP_DAYS = env.int("DEVICES_KEEP_DAYS", default=365)

# --- Celery: the chains of the sagas, e-mails ----------------------------------------------------------------------
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="redis://127.0.0.1:6379/1")
# kombu verifies no certificate by default; `ssl_…` options in the URL go before.
CELERY_BROKER_USE_SSL = (
    {"ssl_cert_reqs": ssl.CERT_REQUIRED} if CELERY_BROKER_URL.startswith("rediss:") else False
)

# --- applications ------------------------------------------------------------------------------------------------
SERVICES = env.list(
    "SERVICES", default=["accounts", "bidding", "inventory", "orders", "notifications", "sagas"]
)
INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin.apps.SimpleAdminConfig",  # urls.py loads the apps' admins, which only a web process needs
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "allauth",
    "allauth.account",
    "allauth.headless",
    "allauth.mfa",
    "allauth.usersessions",
    "auction_project",
    "auction_project.accounts",
    "auction_project.kernel.messaging",
    "auction_project.tools",
    "bidding",
    "inventory",
    "orders",
    "notifications",
    "sagas",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "auction_project.web.middleware.CorrelationMiddleware",
    "auction_project.web.middleware.PrivateAnswersMiddleware",
    "auction_project.web.middleware.ProblemMiddleware",
    "auction_project.web.pages.content_policy.ContentPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "auction_project.accounts.headless.HeadlessMiddleware",
    "auction_project.accounts.devices.DeviceMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "auction_project.accounts.staff.StaffMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]
ROOT_URLCONF = "auction_project.urls"
ASGI_APPLICATION = "auction_project.asgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "auction_project" / "web" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "libraries": {"pages": "auction_project.web.pages.template_tags"},
        },
    }
]
if DEMO:
    TEMPLATES[0]["DIRS"].append(BASE_DIR / "auction_project" / "tools" / "demo" / "templates")
    TEMPLATES[0]["OPTIONS"]["context_processors"].append("auction_project.tools.demo.web.context")
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "auction_project.accounts.passwords.BreachedPasswordValidator"},
]
SHOP_CACHE = env.bool("SHOP_CACHE", default=True)  # answers about offers, for less than a second
CACHES = {
    "default": {
        "BACKEND": "auction_project.web.cache.OptionalCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"socket_timeout": 0.3, "socket_connect_timeout": 0.3},  # what comes late is a miss
    }
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["auction_project.kernel.http.rest.AccessTokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "auction_project.web.openapi_document.Schema",
    "EXCEPTION_HANDLER": "auction_project.kernel.http.rest.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,  # ?format= is a filter of ours
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Gavel",
    "VERSION": VERSION,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "OAS_VERSION": "3.1.0",
    "DESCRIPTION": (BASE_DIR / "auction_project" / "web" / "openapi_start_here.md").read_text(),
    "POSTPROCESSING_HOOKS": ["auction_project.web.openapi_document.complete"],
    "COMPONENT_SPLIT_REQUEST": True,  # a picture is bytes on its way in, and an address on its way out
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "SWAGGER_UI_DIST": "SIDECAR",  # its files come from here: the page loads no script from elsewhere
}

# --- accounts: allauth, for pages at /accounts/ and for programs at /_allauth/ -------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "auction_project.accounts.adapter.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_CHANGE_EMAIL = True  # one address an account: a new one replaces it once it is verified
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True  # in the browser that signed up
ACCOUNT_REAUTHENTICATION_REQUIRED = True  # another address needs the password
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_DEFAULT_HTTP_PROTOCOL = PUBLIC_URL.partition(":")[0]
ACCOUNT_RATE_LIMITS = {
    "login": env.str("LOGIN_RATE_LIMIT", default="30/m/ip"),
    "signup": env.str("SIGNUP_RATE_LIMIT", default="20/m/ip"),
    "token": "30/m/user",
}
# The address that allauth gets is the client's already: see auction_project/kernel/http/addresses.py.
ALLAUTH_TRUSTED_PROXY_COUNT = 0
STREAMS_PER_ADDRESS = env.int("STREAMS_PER_ADDRESS", default=200)
STAFF_SECOND_FACTOR = env.bool("STAFF_SECOND_FACTOR", default=False)  # production: true
MFA_ADAPTER = "auction_project.accounts.second_factor.SecondFactorAdapter"
MFA_TOTP_ISSUER = "Gavel"
MFA_TOTP_TOLERANCE = 1  # steps of 30 s: telephones' clocks differ
USERSESSIONS_ADAPTER = "auction_project.accounts.sessions.SessionsAdapter"
HEADLESS_ADAPTER = "auction_project.accounts.adapter.HeadlessAdapter"
HEADLESS_CLIENTS = ("app", "browser")
HEADLESS_TOKEN_STRATEGY = "auction_project.accounts.token_strategy.AccessTokenStrategy"  # noqa: S105 - a class
HEADLESS_JWT_ALGORITHM = "RS256"
HEADLESS_JWT_PRIVATE_KEY = JWT_PRIVATE_KEY
HEADLESS_JWT_ACCESS_TOKEN_EXPIRES_IN = ACCESS_TOKEN_SECONDS
HEADLESS_JWT_REFRESH_TOKEN_EXPIRES_IN = REFRESH_TOKEN_SECONDS
HEADLESS_JWT_ROTATE_REFRESH_TOKEN = True

# --- budgets: see auction_project/kernel/http/budgets.py; 0 means no limit -------------------------------------------
ANONYMOUS_REQUESTS_PER_SECOND = env.float("ANONYMOUS_REQUESTS_PER_SECOND", default=50)
USER_REQUESTS_PER_SECOND = env.float("USER_REQUESTS_PER_SECOND", default=50)
STREAMS_PER_SECOND = env.float("STREAMS_PER_SECOND", default=20)
AUCTIONS_PER_HOUR = env.float("AUCTIONS_PER_HOUR", default=3600)
BIDS_PER_SECOND = env.float("BIDS_PER_SECOND", default=20)
# --- the gateway alone -----------------------------------------------------------------------------------------------
SIGN_INS_PER_MINUTE = env.int("SIGN_INS_PER_MINUTE", default=60)
GATEWAY_MAX_CONNECTIONS = env.int("GATEWAY_MAX_CONNECTIONS", default=20_000)

# --- language, time, files ---------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
FORMAT_MODULE_PATH = "auction_project.web.formats"
TIME_ZONE = env.str("TIME_ZONE", default="UTC")  # the house's: what a day is to its staff
USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
SERVESTATIC_USE_FINDERS = env.bool("SERVE_STATIC_FROM_SOURCE", default=True)
STATICFILES_DIRS = [BASE_DIR / "auction_project" / "web" / "static"]
MEDIA_URL = "/media/"
MEDIA_ROOT = env.path("MEDIA_ROOT", default=str(VAR_DIR / "media"))

EMAIL_BACKEND = env.str("EMAIL_BACKEND", default="auction_project.kernel.mail_files.EmailBackend")
EMAIL_HOST = env.str("EMAIL_HOST", default="localhost")
EMAIL_USE_SSL = env.bool("EMAIL_USE_SSL", default=False)
EMAIL_USE_TLS = env.bool("EMAIL_USE_TLS", default=not EMAIL_USE_SSL)
EMAIL_PORT = env.int("EMAIL_PORT", default=465 if EMAIL_USE_SSL else 587)
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", default="")
EMAIL_HOST_PASSWORD = env.str("EMAIL_HOST_PASSWORD", default="")
EMAIL_TIMEOUT = 10  # seconds; a mail server that hangs must not keep its worker
EMAIL_FILE_PATH = env.str("EMAIL_FILE_PATH", default=str(VAR_DIR / "mail"))
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Gavel <auctions@localhost>")

# --- the payment provider ----------------------------------------------------------------------------------------
BANK_URL = env.str("BANK_URL", default="http://127.0.0.1:8090")
BANK_API_KEY = env.str("BANK_API_KEY", default="") or development_keys.secret_key(VAR_DIR, "bank")
BANK_TIMEOUT_SECONDS = env.float("BANK_TIMEOUT_SECONDS", default=2.0)
PAYMENT_CALLS_IN_FLIGHT = env.int("PAYMENT_CALLS_IN_FLIGHT", default=32)

# --- the shop ----------------------------------------------------------------------------------------------------
CHECKOUT_MINUTES = env.int("CHECKOUT_MINUTES", default=15)
RETURN_DAYS = env.int("RETURN_DAYS", default=14)
RETURN_DECIDE_DAYS = env.int("RETURN_DECIDE_DAYS", default=3)
SHIPPING = env.json("SHIPPING", default={})  # by currency; orders/totals.py has the rule

# --- the risk check: the figures of orders/risk.py by name ---------------------------------------------------------
RISK = risk.figures(env)

# --- cookies and headers -----------------------------------------------------------------------------------------
SESSION_ENGINE = "auction_project.accounts.session_store"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024

# --- admin (unfold) ----------------------------------------------------------------------------------------------
UNFOLD = {
    "SITE_TITLE": "Gavel",
    "SITE_HEADER": "Gavel",
    "SITE_SUBHEADER": "Admin",
    "SITE_SYMBOL": "gavel",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "/static/gavel/icons/favicon.svg"}],
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "4px",
    "COLORS": {
        "primary": {  # the claret of the pages
            "50": "#fdf3f4",
            "100": "#fae4e7",
            "200": "#f3c8ce",
            "300": "#eea3ad",
            "400": "#d96a7a",
            "500": "#b03a50",
            "600": "#9c2f43",
            "700": "#7a1c2d",
            "800": "#5f1221",
            "900": "#470c18",
            "950": "#2b060e",
        }
    },
    "DASHBOARD_CALLBACK": "auction_project.web.pages.overview.context",
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": "auction_project.web.pages.sidebar.navigation",
    },
}

# --- traces: see auction_project/kernel/tracing.py -----------------------------------------------------------------
OTLP_ENDPOINT = traces.endpoint(env)
OTLP_HEADERS = traces.headers(env)
OTLP_CA_FILE = env.str("OTEL_EXPORTER_OTLP_CERTIFICATE", default="")
TRACES_RATIO = traces.ratio(env)
TRACE_VIEWER_URL = traces.viewer(env)

# --- logs --------------------------------------------------------------------------------------------------------
LOGGING_CONFIG = None
LOG_LEVEL = env.str("GAVEL_LOG_LEVEL", default="INFO")
LOG_FORMAT = env.str("GAVEL_LOG_FORMAT", default="text")
logs.configure(json=LOG_FORMAT == "json", level=LOG_LEVEL)
