"""The paths of the pages. An id or a number of a wrong form is 404 here; REST answers whether one of the right form
exists.
"""

from django.urls import path, re_path

from auction_project.kernel import ids
from auction_project.web.pages import views

_SLUG = r"(?P<slug>[-\w]{1,200})"
_AUCTION = rf"auctions/(?P<auction_id>{ids.ID_FORM})"

urlpatterns = [
    path("", views.AuctionList.as_view(), name="home"),
    re_path(rf"^{_AUCTION}$", views.Auction.as_view(), name="auction"),
    path("shop", views.Shop.as_view(), name="shop"),
    path("shop/search", views.ShopSearch.as_view(), name="shop-search"),
    re_path(rf"^shop/c/{_SLUG}$", views.Category.as_view(), name="shop-category"),
    re_path(rf"^shop/p/{_SLUG}$", views.Offer.as_view(), name="offer"),
    path("cart", views.Cart.as_view(), name="cart"),
    path("checkout", views.Checkout.as_view(), name="new-checkout"),
    re_path(rf"^checkout/(?P<checkout_id>{ids.ID_FORM})$", views.Checkout.as_view(), name="checkout"),
    path("bids", views.OwnBids.as_view(), name="own-bids"),
    path("orders", views.Orders.as_view(), name="own-orders"),
    re_path(r"^orders/(?P<number>[A-Za-z0-9-]{1,20})$", views.Order.as_view(), name="own-order"),
    path("notifications", views.Notifications.as_view(), name="own-notifications"),
    path("account", views.Account.as_view(), name="own-account"),
    path("sell", views.SellerDashboard.as_view(), name="sell"),
    path("sell/products/new", views.NewProduct.as_view(), name="new-product"),
    re_path(
        rf"^sell/products/(?P<product_id>{ids.ID_FORM})$", views.SellerProduct.as_view(), name="sell-product"
    ),
    path("sell/auctions/new", views.NewAuction.as_view(), name="new-auction"),
    re_path(rf"^sell/{_AUCTION}$", views.SellerAuction.as_view(), name="desk-auction"),
    path("problems/", views.Problems.as_view(), name="problems"),
    re_path(r"^problems/(?P<code>[a-z0-9_]{1,64})$", views.Problem.as_view(), name="problem"),
]
