"""Which app answers which path: REST under /api/v1/, the admin, the headless accounts API, the pages."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from auction_project import api_urls
from auction_project.processes import services_page
from auction_project.web import event_documents, openapi
from orders.desk import pages as desk_pages

urlpatterns = [path("api/v1/", include(api_urls.APPS[service])) for service in settings.SERVICES]
if "accounts" in settings.SERVICES:
    admin.autodiscover()
    urlpatterns += [
        api_urls.REGISTRY,
        *services_page.urlpatterns,
        *desk_pages.urlpatterns,
        path("admin/", admin.site.urls),
        path("accounts/", include("auction_project.accounts.page_urls")),
        path("accounts/", include("allauth.urls")),
        path("_allauth/", include("allauth.headless.urls")),
        path("api/openapi.json", openapi.document_view, name="openapi"),
        path("api/asyncapi.json", event_documents.topics_view),
        path("api/asyncapi-sockets.json", event_documents.sockets_view),
        path("api/", openapi.page_view, name="api"),
        path("", include("auction_project.web.pages.urls")),
    ]
    if settings.DEMO:
        urlpatterns += [path("demo/", include("auction_project.tools.demo.urls"))]
    handler429 = "auction_project.accounts.limits.page_too_often"  # allauth asks for it
