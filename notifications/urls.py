"""The paths of the notifications, relative to /api/v1/."""

from django.urls import path

from notifications import api

urlpatterns = [
    path("notifications", api.NotificationsView.as_view()),
    path("notifications/read", api.ReadView.as_view()),
    path("notifications/ticket", api.TicketView.as_view()),
    path("stream", api.StreamView.as_view()),
]
