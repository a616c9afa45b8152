"""The views of the pages: who may see a frame, and the data of a frame that no REST body has.

They read no auction, order or product. The script of the page does, by REST, with a token of the session.
"""

from typing import Any, ClassVar

from django import http
from django.contrib.auth import mixins
from django.core import exceptions
from django.views import generic

from auction_project.kernel import money
from auction_project.web.pages import problems
from bidding.rules import formats, increments
from bidding.rules import terms as auction_terms
from orders import postal

SELLING_ROLES = ("seller", "operator")
PAY_WITHIN_DAYS = (1, 3, 5, 7)  # what the form of a new auction offers


class Page(generic.TemplateView):
    """A public page. `section` is its entry in the menu."""

    section = ""

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        return super().get_context_data(section=self.section, **context)


class OwnPage(mixins.LoginRequiredMixin, Page):
    """A page for users who are signed in."""


class SellingPage(OwnPage):
    """A page for sellers and operators."""

    section = "sell"

    def dispatch(self, request: http.HttpRequest, *args: Any, **kwargs: Any) -> http.HttpResponseBase:
        user = request.user
        if user.is_authenticated and not set(SELLING_ROLES) & set(user.roles):
            raise exceptions.PermissionDenied(
                "Only sellers and operators can use this page. An operator can make you a seller."
            )
        return super().dispatch(request, *args, **kwargs)


class AuctionList(Page):
    """The catalogue. Its address holds the filter, which the page's script reads; an unknown filter is 404, because the
    script would show all lots."""

    section = "auctions"
    template_name = "pages/auctions.html"
    choices: ClassVar = {
        "status": {"", "SCHEDULED", "OPEN", "SOLD_OUT", "CLOSED", "CANCELLED"},
        "format": {"", *formats.FORMATS},
        "ending_soon": {"", "true"},
        "currency": {"", *money.EXPONENTS},
        "order": {"", "ends_at", "-ends_at", "-starts_at", "price", "-price", "-bids", "relevance"},
    }

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        for name, choices in self.choices.items():
            if self.request.GET.get(name, "") not in choices:
                raise http.Http404
        named = [(one.name, one.label) for one in formats.FORMATS.values()]
        return super().get_context_data(formats=named, currencies=sorted(money.EXPONENTS), **context)


def _rules() -> dict[str, Any]:
    """The figures of the rules, which the page puts into words."""
    bounds, steps = increments.TABLES[increments.CURRENT]
    return {
        "increments": {"table": increments.CURRENT, "below": bounds, "steps": steps},
        "decimals": money.EXPONENTS,
        "max_quantity": auction_terms.MAX_QUANTITY,
        "max_days": auction_terms.MAX_DURATION_MS // 86_400_000,
        "max_relistings": auction_terms.MAX_RELISTINGS,
    }


class Auction(Page):
    section = "auctions"
    template_name = "pages/auction.html"

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        return super().get_context_data(rules=_rules(), **context)


class Shop(Page):
    section = "shop"
    template_name = "pages/shop.html"


class ShopList(Page):
    """A list of offers. Its address holds the filter, which the page's script reads."""

    section = "shop"

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        return super().get_context_data(currencies=sorted(money.EXPONENTS), **context)


class Category(ShopList):
    template_name = "pages/shop_category.html"


class ShopSearch(ShopList):
    template_name = "pages/shop_search.html"


class Offer(Page):
    section = "shop"
    template_name = "pages/offer.html"


class Cart(Page):
    """The cart, also of a visitor."""

    section = "cart"
    template_name = "pages/cart.html"


class AddressPage(OwnPage):
    """A page with the form for an address."""

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        return super().get_context_data(countries=sorted(postal.COUNTRIES), **context)


class Checkout(AddressPage):
    """A checkout, or with no id the beginning of one."""

    section = "cart"
    template_name = "pages/checkout.html"


class OwnBids(OwnPage):
    section = "bids"
    template_name = "pages/bids.html"


class Orders(OwnPage):
    section = "orders"
    template_name = "pages/orders.html"


class Order(OwnPage):
    section = "orders"
    template_name = "pages/order.html"


class Notifications(OwnPage):
    section = "notifications"
    template_name = "pages/notifications.html"


class Account(AddressPage):
    section = "account"
    template_name = "pages/account.html"


class SellerDashboard(SellingPage):
    template_name = "pages/desk.html"


class NewProduct(SellingPage):
    template_name = "pages/new_product.html"


class SellerProduct(SellingPage):
    """A product of the seller, with its offer and its pictures."""

    template_name = "pages/product.html"

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        return super().get_context_data(currencies=sorted(money.EXPONENTS), **context)


class NewAuction(SellingPage):
    template_name = "pages/new_auction.html"

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        return super().get_context_data(
            rules=_rules(),
            currencies=sorted(money.EXPONENTS),
            formats=formats.FORMATS.values(),
            times_to_pay=[(days, days * 24 * 60) for days in PAY_WITHIN_DAYS],
            **context,
        )


class SellerAuction(SellingPage):
    template_name = "pages/desk_auction.html"

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        return super().get_context_data(rules=_rules(), **context)


class Problems(Page):
    template_name = "pages/problems.html"

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        return super().get_context_data(problems=problems.catalogue().values(), **context)


class Problem(Page):
    """The page that the `type` of a problem links to."""

    template_name = "pages/problem.html"

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        problem = problems.catalogue().get(context["code"])
        if problem is None:
            raise http.Http404
        return super().get_context_data(problem=problem, **context)
