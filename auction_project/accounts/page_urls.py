"""Paths of the pages that accounts add to allauth's, below /accounts/."""

from django.urls import path

from auction_project.accounts import views

urlpatterns = [
    path("sessions/", views.SessionsView.as_view(), name="account_sessions"),
]
