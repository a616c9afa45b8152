"""The REST API of all apps, for its document: a process describes it whole, and serves what SERVICES names (`urls.py`)."""

from django.urls import include, path

from auction_project.processes import services_api

APPS = {
    "accounts": "auction_project.accounts.urls",
    "bidding": "bidding.urls",
    "inventory": "inventory.urls",
    "orders": "orders.urls",
    "notifications": "notifications.urls",
    "sagas": "sagas.urls",
}
REGISTRY = path("api/v1/services", services_api.ServicesView.as_view())

urlpatterns = [*(path("api/v1/", include(app)) for app in APPS.values()), REGISTRY]
