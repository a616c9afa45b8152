"""The sagas have no REST API: events start them and announce their ends, and operators use the admin."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
