"""REST paths of orders, below /api/v1/."""

from django.urls import path

from orders import api

urlpatterns = [
    path("orders", api.OrdersView.as_view(), name="orders"),
    path("orders/statistics", api.StatisticsView.as_view(), name="order-statistics"),
    path("orders/<str:number>", api.OrderView.as_view(), name="order"),
    path("card", api.CardView.as_view(), name="card"),
]
