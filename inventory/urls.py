"""The stock's addresses below /api/v1/. `models` names those of pictures, which travel in events."""

from django.urls import path

from inventory import api

urlpatterns = [
    path("products", api.Products.as_view(), name="products"),
    path("products/<str:product_id>", api.OneProduct.as_view(), name="product"),
    path("products/<str:product_id>/image", api.Picture.as_view(), name="product-image"),
    path(
        "products/<str:product_id>/thumbnail",
        api.Picture.as_view(is_thumbnail=True),
        name="product-thumbnail",
    ),
]
