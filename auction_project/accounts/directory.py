"""The directory of people for the admin of every app: who may see which address, and the record of who looked.

Each reader of the admin sees colleagues by their addresses, because they sign what they do there. A customer's address is for
those who may view accounts. Each page that shows one leaves a row in "looks at personal data", and so does each that shows where a
customer's parcels go.
"""

from collections.abc import Collection, Mapping

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from auction_project.accounts import models, personal
from auction_project.kernel import people

ERASED = "erased account"


class Directory:
    """See `kernel/people.py`."""

    def look_up(
        self, request: HttpRequest, user_ids: Collection[str], *, page: str, is_list: bool
    ) -> Mapping[str, people.Person]:
        seen = list(_visible(request).filter(pk__in=user_ids))
        customers = sorted(user.pk for user in seen if not (user.is_colleague_now or user.is_erased))
        for subject in customers[:1] if is_list else customers:
            personal.record_look(
                actor=request.user.pk,
                page=page,
                subject="" if is_list else subject,
                query=request.META["QUERY_STRING"],
                now=timezone.now(),
            )
        has_page = _may_view_accounts(request)
        return {
            user.pk: people.Person(name=ERASED if user.is_erased else user.email, has_page=has_page)
            for user in seen
        }

    def record_look(self, *, actor: str, user_id: str, page: str, query: str) -> None:
        if actor != user_id:
            personal.record_look(actor=actor, page=page, subject=user_id, query=query, now=timezone.now())

    def find(self, request: HttpRequest, address: str) -> str | None:
        return _visible(request).filter(email=address.lower()).values_list("pk", flat=True).first()


def _visible(request: HttpRequest) -> QuerySet[models.User]:
    """The accounts whose addresses the reader may see, each with `is_colleague_now`."""
    users = models.User.objects.annotate(is_colleague_now=models.User.are_colleagues())
    return users if _may_view_accounts(request) else users.filter(is_colleague_now=True)


def _may_view_accounts(request: HttpRequest) -> bool:
    return bool(request.user.has_perm("accounts.view_user"))
