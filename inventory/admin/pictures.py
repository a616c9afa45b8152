"""The pictures of a product on its page: shown, added, described, put in order and taken away, each by a service."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from unfold import admin as unfold_admin

from inventory import models, services
from inventory.admin import catalogue_forms


class PictureInline(unfold_admin.TabularInline):
    """The pictures that the product shows. `save` gives them to the services."""

    model = models.Picture
    form = catalogue_forms.PictureForm
    formset = catalogue_forms.PictureFormSet
    fields = ("shown", "upload", "alt", "order")
    readonly_fields = ("shown",)
    extra = 1
    max_num = services.MAX_PICTURES
    hide_title = True
    verbose_name_plural = "pictures, the first on the product's thumbnail"

    @admin.display(description="picture")
    def shown(self, picture: models.Picture) -> str:
        if not picture.digest:
            return "–"
        return format_html(
            '<a href="{}"><img src="{}" alt="{}" width="48" height="48" style="object-fit:cover"></a>',
            picture.url,
            picture.thumbnail_url,
            picture.alt,
        )

    def get_fields(self, request: HttpRequest, obj: models.Product | None = None) -> Any:
        return self.fields if self.has_change_permission(request, obj) else ("shown", "alt")

    def get_queryset(self, request: HttpRequest) -> QuerySet[models.Picture]:
        return super().get_queryset(request).filter(position__isnull=False).order_by("position")

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("inventory.change_product")

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("inventory.change_product")

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """It is shown no more, and not deleted."""
        return request.user.has_perm("inventory.change_product")


def save(formset: catalogue_forms.PictureFormSet, *, product_id: str, actor: str, now: datetime) -> None:
    """What the form says, by the services. Raises what they raise."""
    placed: dict[str, services.Placed] = {}  # each once
    for one in formset.wanted():
        public_id = one.id
        if one.content:
            added = services.add_picture(
                product_id=product_id, image=one.content, alt=one.alt, actor=actor, now=now
            )
            formset.new_objects.append(added)
            public_id = added.public_id
        placed.setdefault(public_id, services.Placed(id=public_id, alt=one.alt))
    services.arrange_pictures(product_id=product_id, pictures=list(placed.values()), actor=actor, now=now)
    gone = (form for form in formset.initial_forms if form.cleaned_data.get("DELETE"))
    formset.deleted_objects = [form.instance for form in gone]
    changed = (form for form in formset.initial_forms if form.has_changed())
    formset.changed_objects = [(form.instance, form.changed_data) for form in changed]
