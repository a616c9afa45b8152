"""The sagas answer no REST: events start them, events tell their end, and operators use the admin."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
