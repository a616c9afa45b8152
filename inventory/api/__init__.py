"""REST of the stock: products and their pictures for those who own them, and the shop for everyone."""

from inventory.api.products import PicturesView, PictureView, ProductsView, ProductView
from inventory.api.searching import OffersView, SavedSearchesView, SavedSearchView, SuggestionsView
from inventory.api.shop import CategoriesView, CategoryView, OfferView, ProductOfferView

__all__ = [
    "CategoriesView",
    "CategoryView",
    "OfferView",
    "OffersView",
    "PictureView",
    "PicturesView",
    "ProductOfferView",
    "ProductView",
    "ProductsView",
    "SavedSearchView",
    "SavedSearchesView",
    "SuggestionsView",
]
