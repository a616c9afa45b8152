"""The paths of the pages that accounts add to allauth's, below /accounts/."""

from django.urls import path

from auction_project.accounts import views

urlpatterns = [
    path("sessions/", views.SessionsView.as_view(), name="account_sessions"),
    path("data/", views.PersonalDataPage.as_view(), name="account_data"),
    path("data/export/", views.ExportView.as_view(), name="account_data_export"),
]
