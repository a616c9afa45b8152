"""The stock's addresses below /api/v1/. `models` names those of pictures, which travel in events."""

from django.urls import path

from inventory import api

urlpatterns = [
    path("products", api.ProductsView.as_view(), name="products"),
    path("products/<str:product_id>", api.ProductView.as_view(), name="product"),
    path("products/<str:product_id>/image", api.PictureView.as_view(), name="product-image"),
    path(
        "products/<str:product_id>/thumbnail",
        api.PictureView.as_view(is_thumbnail=True),
        name="product-thumbnail",
    ),
]
