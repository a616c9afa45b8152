"""REST paths of orders, below /api/v1/."""

from django.urls import path

from orders import address_api, api, fulfilment_api, shop_api

urlpatterns = [
    path("orders", api.OrdersView.as_view(), name="orders"),
    path("orders/statistics", api.StatisticsView.as_view(), name="order-statistics"),
    path("orders/<str:number>", api.OrderView.as_view(), name="order"),
    path("orders/<str:number>/shipments", fulfilment_api.ShipmentsView.as_view(), name="order-shipments"),
    path("orders/<str:number>/deliveries", fulfilment_api.DeliveriesView.as_view(), name="order-deliveries"),
    path(
        "orders/<str:number>/cancellation",
        fulfilment_api.CancellationView.as_view(),
        name="order-cancellation",
    ),
    path("orders/<str:number>/refunds", fulfilment_api.RefundsView.as_view(), name="order-refunds"),
    path("orders/<str:number>/returns", fulfilment_api.ReturnsView.as_view(), name="order-returns"),
    path(
        "orders/<str:number>/return-requests",
        fulfilment_api.ReturnRequestsView.as_view(),
        name="order-return-requests",
    ),
    path(
        "orders/<str:number>/return-requests/<str:request_id>/decision",
        fulfilment_api.ReturnDecisionView.as_view(),
        name="return-decision",
    ),
    path(
        "orders/<str:number>/return-requests/<str:request_id>/withdrawal",
        fulfilment_api.ReturnWithdrawalView.as_view(),
        name="return-withdrawal",
    ),
    path("awards", shop_api.AwardsView.as_view(), name="awards"),
    path("addresses", address_api.AddressesView.as_view(), name="addresses"),
    path("addresses/<str:address_id>", address_api.AddressView.as_view(), name="address"),
    path("card", api.CardView.as_view(), name="card"),
    path("cart", shop_api.CartView.as_view(), name="cart"),
    path("cart/lines/<str:product_id>", shop_api.CartLineView.as_view(), name="cart-line"),
    path("cart/takeover", shop_api.TakeoverView.as_view(), name="cart-takeover"),
    path("checkouts", shop_api.CheckoutsView.as_view(), name="checkouts"),
    path("checkouts/<str:checkout_id>", shop_api.CheckoutView.as_view(), name="checkout"),
    path(
        "checkouts/<str:checkout_id>/payment",
        shop_api.CheckoutPaymentView.as_view(),
        name="checkout-payment",
    ),
]
