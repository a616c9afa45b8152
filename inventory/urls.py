"""The stock's addresses below /api/v1/. `models` names those of pictures, which travel in events."""

from django.urls import path

from inventory import api

urlpatterns = [
    path("categories", api.CategoriesView.as_view(), name="categories"),
    path("categories/<str:slug>", api.CategoryView.as_view(), name="category"),
    path("offers", api.OffersView.as_view(), name="offers"),
    path("offers/suggestions", api.SuggestionsView.as_view(), name="offer-suggestions"),
    path("offers/<str:slug>", api.OfferView.as_view(), name="offer"),
    path("products", api.ProductsView.as_view(), name="products"),
    path("products/<str:product_id>", api.ProductView.as_view(), name="product"),
    path("products/<str:product_id>/offer", api.ProductOfferView.as_view(), name="product-offer"),
    path("products/<str:product_id>/pictures", api.PicturesView.as_view(), name="product-pictures"),
    path("products/<str:product_id>/image", api.PictureView.as_view(), name="product-image"),
    path(
        "products/<str:product_id>/thumbnail",
        api.PictureView.as_view(is_thumbnail=True),
        name="product-thumbnail",
    ),
    path("searches", api.SavedSearchesView.as_view(), name="searches"),
    path("searches/<str:search_id>", api.SavedSearchView.as_view(), name="search"),
]
