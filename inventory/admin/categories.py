"""Categories in the admin: the tree as a list, with each branch below its parent. A branch is added, renamed, moved and removed by the
services."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from unfold import admin as unfold_admin

from auction_project.kernel import admin as base_admin
from auction_project.kernel import errors
from inventory import models, selectors, services
from inventory.admin import catalogue_forms, filters


@admin.register(models.Category)
class CategoryAdmin(base_admin.Lookups, unfold_admin.ModelAdmin):
    list_display = ("in_its_place", "slug", "offers", "products")
    list_display_links = ("in_its_place",)
    list_per_page = services.MAX_CATEGORIES
    list_max_show_all = services.MAX_CATEGORIES
    search_fields = ("name", "slug")
    search_help_text = "Name or slug"
    sortable_by = ()
    actions = None
    form = catalogue_forms.CategoryForm
    fields = ("name", "parent_slug", "order")

    @admin.display(description="category")
    def in_its_place(self, category: models.Category) -> str:
        return f"{filters.INDENT * getattr(category, 'depth', 0)}{category.name}"

    @admin.display(description="published offers in it and below it")
    def offers(self, category: models.Category) -> int:
        return getattr(category, "offers", 0)

    @admin.display(description="products")
    def products(self, category: models.Category) -> str:
        place = reverse("admin:inventory_product_changelist")
        return format_html('<a class="underline" href="{}?category={}">Show</a>', place, category.slug)

    def get_queryset(self, request: HttpRequest) -> QuerySet[models.Category]:
        """In the order of the tree, each with its depth and its number of offers."""
        branches = selectors.list_categories()

        def of_branch(values: list[int]) -> Case:
            found = zip(branches, values, strict=True)
            whens = (When(slug=branch.slug, then=Value(value)) for branch, value in found)
            return Case(*whens, default=Value(0), output_field=IntegerField())

        return models.Category.objects.annotate(
            place=of_branch(list(range(len(branches)))),
            depth=of_branch([branch.depth for branch in branches]),
            offers=of_branch([branch.offers for branch in branches]),
        )

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return ("place",)

    def get_readonly_fields(self, request: HttpRequest, obj: models.Category | None = None) -> Any:
        return ("slug",) if obj and self.has_change_permission(request, obj) else ()

    def get_fields(self, request: HttpRequest, obj: models.Category | None = None) -> Any:
        if obj is None:
            return ("name", "parent_slug")
        if not self.has_change_permission(request, obj):
            return ("name", "parent", "slug")
        return ("name", "parent_slug", "order", "slug")

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except errors.DomainError as error:
            messages.error(request, error.detail)
            return redirect(request.path)

    def delete_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, *args, **kwargs)
        except errors.DomainError as error:
            messages.error(request, error.detail)
            return redirect("admin:inventory_category_change", object_id)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """The category alone. What is still in it is said by the refusal, which the service makes with the tree locked."""
        return [str(one) for one in objs], {}, set(), []

    def delete_model(self, request: HttpRequest, obj: models.Category) -> None:
        services.remove_category(slug=obj.slug)

    def save_model(self, request: HttpRequest, obj: models.Category, form: Any, change: bool) -> None:
        """The services change the tree; this form's own row is never saved."""
        filled = form.cleaned_data
        if not change:
            added = services.add_category(name=filled["name"], parent=filled["parent_slug"])
            obj.pk, obj.slug = added.pk, added.slug
            return
        services.rename_category(slug=obj.slug, name=filled["name"])
        if form.has_moved():
            services.move_category(slug=obj.slug, parent=filled["parent_slug"], position=form.position())
