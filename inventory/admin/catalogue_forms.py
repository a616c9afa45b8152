"""What a clerk fills in about the catalogue: products, their pictures, offers and categories. The forms check shapes; the
services have the rules."""

from typing import Any

import msgspec
from django import forms
from django.forms import models as model_forms
from django.http import Http404
from unfold import forms as unfold_forms
from unfold import widgets

from auction_project.kernel import admin as base_admin
from auction_project.kernel import errors, money, texts
from inventory import images, models, refusals, selectors, services
from inventory.admin import filters

TOP = "(top)"
FACTS_HELP = 'One a line, as in "Maker: Dent & Co.".'


def _picture(upload: Any) -> bytes | None:
    """The content of a picture that was sent. Raises ValidationError."""
    if upload is None:
        return None
    content: bytes = upload.read(images.MAX_UPLOAD_BYTES + 1)
    try:
        images.render(content)
    except errors.Invalid as error:
        raise forms.ValidationError(error.detail) from error
    return content


def _categories(none: str) -> list[tuple[str, str]]:
    branches = selectors.list_categories()
    return [
        ("", none),
        *((branch.slug, f"{filters.INDENT * branch.depth}{branch.name}") for branch in branches),
    ]


class ProductForm(forms.ModelForm):
    """A new product, with its first picture; or a corrected description."""

    category_slug = forms.ChoiceField(
        label="Category", required=False, widget=widgets.UnfoldAdminSelectWidget
    )
    facts = forms.CharField(
        label="Attributes",
        required=False,
        strip=False,
        help_text=FACTS_HELP,
        widget=widgets.UnfoldAdminTextareaWidget(attrs={"rows": 5}),
    )
    picture = forms.FileField(required=False, widget=widgets.UnfoldAdminImageFieldWidget)

    class Meta:
        model = models.Product
        fields = ("sku", "title", "description", "condition", "owner_id")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        product = self.instance
        if "category_slug" in self.fields:
            self.fields["category_slug"].choices = _categories("(none)")
            self.initial["category_slug"] = product.category.slug if product.category else ""
        self.initial["facts"] = "\n".join(f"{one['name']}: {one['value']}" for one in product.attributes)

    def clean_sku(self) -> str:
        """The service refuses a SKU that is taken, too; here the refusal stands beside the field."""
        sku: str = self.cleaned_data["sku"]
        if models.Product.objects.filter(sku_folded=texts.folded(sku)).exists():
            raise forms.ValidationError(str(refusals.SkuTaken.__doc__))
        return sku

    def clean_facts(self) -> list[dict[str, str]] | None:
        """None if they are as they were."""
        lines = self.cleaned_data["facts"].splitlines()
        if lines == self.initial["facts"].splitlines():
            return None
        facts = []
        for line in filter(str.strip, lines):
            name, colon, value = line.partition(":")
            if not colon or not name.strip() or not value.strip():
                raise forms.ValidationError(f"“{line.strip()}” is not a name, a colon and a value.")
            facts.append({"name": name, "value": value})
        return facts

    def clean_picture(self) -> bytes | None:
        return _picture(self.cleaned_data["picture"])


class PictureForm(forms.ModelForm):
    """A picture of the product at its place, or another one in its place; or one more."""

    upload = forms.FileField(label="New file", required=False, widget=widgets.UnfoldAdminFileFieldWidget)
    order = forms.IntegerField(
        required=False, min_value=1, widget=widgets.UnfoldAdminIntegerFieldWidget(attrs={"size": 3})
    )

    class Meta:
        model = models.Picture
        fields = ("alt",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["order"] = self.instance.position + 1

    def clean_upload(self) -> bytes | None:
        content = _picture(self.cleaned_data["upload"])
        if content is None and not self.instance.pk:
            raise forms.ValidationError("Choose a picture.")
        return content


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A picture that the product shall show: one that it has, by its public id, or a new one by its content."""

    order: int | None
    alt: str
    id: str = ""
    content: bytes = b""


class PictureFormSet(model_forms.BaseInlineFormSet):
    """The pictures that a product shows, as a clerk wants them."""

    def wanted(self) -> list[Wanted]:
        """All that shall be shown, in their order; those without a number are the last."""
        forms_ = [form for form in self.forms if form.instance.pk or form.has_changed()]
        kept = [form for form in forms_ if not form.cleaned_data.get("DELETE")]
        wanted = [
            Wanted(
                order=form.cleaned_data["order"],
                alt=form.cleaned_data["alt"],
                id="" if form.cleaned_data["upload"] else form.instance.public_id,
                content=form.cleaned_data["upload"] or b"",
            )
            for form in kept
        ]
        return sorted(wanted, key=lambda one: one.order or services.MAX_PICTURES + 1)


class OfferForm(unfold_forms.BaseDialogForm):
    """The offer of a product in the shop, as it is now or as a new one begins."""

    price = forms.CharField(
        label="Price of one unit", max_length=30, widget=widgets.UnfoldAdminTextInputWidget
    )
    currency = forms.ChoiceField(
        choices=[(code, code) for code in sorted(money.EXPONENTS)], widget=widgets.UnfoldAdminSelectWidget
    )
    max_per_order = forms.IntegerField(
        label="At most in one order",
        min_value=1,
        max_value=services.MAX_PER_ORDER,
        widget=widgets.UnfoldAdminIntegerFieldWidget,
    )
    published = forms.BooleanField(
        label="Published: the shop shows and sells it",
        required=False,
        widget=widgets.UnfoldBooleanWidget,
    )

    def __init__(self, request: Any, object_id: str, **kwargs: Any) -> None:
        super().__init__(request, object_id, **kwargs)
        try:
            selectors.get_product(object_id)
            offer = selectors.get_offer_of(object_id)
        except selectors.OfferNotFound:
            self.initial |= {"currency": "EUR", "max_per_order": 10, "published": True}
        except errors.NotFound as error:
            raise Http404 from error
        else:
            self.initial |= {
                "price": money.format(offer.price, offer.currency),
                "currency": offer.currency,
                "max_per_order": offer.max_per_order,
                "published": offer.published,
            }

    def terms(self) -> dict[str, Any]:
        """What the service needs. Raises AmountInvalid."""
        filled = self.cleaned_data
        price = money.parse(filled["price"].strip(), filled["currency"], field="price")
        return {name: filled[name] for name in ("currency", "max_per_order", "published")} | {"price": price}

    def refuse(self, error: errors.DomainError) -> None:
        """Show a refusal beside the field that it is about."""
        self.add_error(error.field if error.field in self.fields else "price", error.detail)


OFFER = base_admin.dialog(
    "Set the offer",
    "For how much the shop sells the product. Carts that hold it are shown a new price before they are paid.",
    OfferForm,
)


class CategoryForm(forms.ModelForm):
    """A new category; or another name, another parent or another place among those of its parent."""

    parent_slug = forms.ChoiceField(label="Below", required=False, widget=widgets.UnfoldAdminSelectWidget)
    order = forms.IntegerField(
        label="Order among them",
        required=False,
        min_value=1,
        widget=widgets.UnfoldAdminIntegerFieldWidget,
        help_text="1 is the first; empty is the last.",
    )

    class Meta:
        model = models.Category
        fields = ("name",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        category = self.instance
        if "parent_slug" in self.fields:
            self.fields["parent_slug"].choices = _categories(TOP)
        if category.pk:
            self.initial["parent_slug"] = category.parent.slug if category.parent else ""
            self.initial["order"] = category.position + 1

    def has_moved(self) -> bool:
        return bool({"parent_slug", "order"} & set(self.changed_data))

    def position(self) -> int:
        """From 0; beyond the last for an empty order."""
        return (self.cleaned_data["order"] or models.MAX_UNITS) - 1
