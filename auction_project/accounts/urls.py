"""The REST paths of accounts, below /api/v1/."""

from django.urls import path

from auction_project.accounts import api

urlpatterns = [
    path("token", api.TokenView.as_view(), name="token"),
    path("me", api.MeView.as_view(), name="me"),
    path("me/data", api.PersonalDataView.as_view(), name="my-data"),
    path("me/erasure", api.ErasureView.as_view(), name="my-erasure"),
    path("accounts/<str:user_id>/roles", api.RolesView.as_view(), name="account-roles"),
]
