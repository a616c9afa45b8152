"""The admin of dead letters: an operator reads what consumers gave up on, replays it, or dismisses it with a reason.

Nothing is edited. The page offers only the actions that are possible now.
"""

import contextlib
from typing import Any, ClassVar

import msgspec
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold import admin as unfold_admin
from unfold import decorators as unfold

from auction_project.kernel import admin as base_admin
from auction_project.kernel import errors
from auction_project.kernel.messaging import models, services
from auction_project.kernel.messaging import transport as transports

MAX_SHOWN_BYTES = 20_000


class ReplayInline(base_admin.ReadOnly, unfold_admin.TabularInline):
    model = models.Replay
    fields = ("at", "by", "reason", "sent_at")
    readonly_fields = fields
    extra = 0
    verbose_name_plural = "replays"


class DismissalInline(base_admin.ReadOnly, unfold_admin.TabularInline):
    model = models.Dismissal
    fields = ("at", "by", "reason")
    readonly_fields = fields
    extra = 0
    verbose_name_plural = "dismissals"


@admin.register(models.DeadLetter)
class DeadLetterAdmin(base_admin.ReadOnly, unfold_admin.ModelAdmin):
    list_display = ("event", "topic", "group", "key", "status", "times", "last_at", "short_error")
    list_filter = ("status", "topic", "group", "event_type")
    search_fields = ("key", "event_id", "error")
    ordering = ("-last_at", "-id")
    fields = (
        "status",
        "event_type",
        "event_id",
        "topic",
        "key",
        "group",
        "error",
        "attempts",
        "times",
        "first_at",
        "last_at",
        "partition",
        "position",
        "whole_bytes",
        "message",
    )
    readonly_fields = fields
    inlines: ClassVar[list[Any]] = [ReplayInline, DismissalInline]
    actions_detail: ClassVar[list[str]] = ["replay", "dismiss"]
    empty_text = "No dead letters. Every message was handled."

    @admin.display(description="event", ordering="event_type")
    def event(self, dead_letter: models.DeadLetter) -> str:
        return str(dead_letter.event_type or "undecodable")

    @admin.display(description="error")
    def short_error(self, dead_letter: models.DeadLetter) -> str:
        return str(dead_letter.error[:120])

    @admin.display(description="message")
    def message(self, dead_letter: models.DeadLetter) -> SafeString:
        return format_html("<pre>{}</pre>", readable(bytes(dead_letter.value)))

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Only the actions that are possible with this dead letter."""
        dead_letter = self.get_object(request, object_id)
        possible = set()
        if dead_letter is not None:
            possible = {"replay"} if dead_letter.is_replayable else set()
            possible |= set() if dead_letter.is_dismissed else {"dismiss"}
        return [
            action
            for action in super().get_actions_detail(request, object_id)
            if action.method.original_function_name in possible
        ]

    def has_replay_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("messaging.replay_deadletter"))

    @unfold.action(
        description="Replay",
        url_path="replay",
        permissions=["replay"],
        dialog=base_admin.dialog(
            "Replay", "All consumers of this topic receive it again; duplicates are ignored."
        ),
    )
    def replay(self, request: HttpRequest, form: base_admin.ReasonForm, object_id: str) -> HttpResponse:
        transport = transports.from_settings()
        try:
            services.replay_dead_letter(
                dead_letter_id=_id(object_id),
                by=str(request.user),
                reason=form.cleaned_data["reason"],
                now=timezone.now(),
                transport=transport,
            )
            messages.success(request, "The message was replayed.")
        except errors.DomainError as error:
            messages.error(request, error.detail)
        finally:
            transport.close()
        return _page(object_id)

    @unfold.action(
        description="Dismiss",
        url_path="dismiss",
        permissions=["replay"],
        dialog=base_admin.dialog(
            "Dismiss",
            "Closes this dead letter; the message is not handled. It returns if its consumer fails on it again.",
        ),
    )
    def dismiss(self, request: HttpRequest, form: base_admin.ReasonForm, object_id: str) -> HttpResponse:
        try:
            services.dismiss_dead_letter(
                dead_letter_id=_id(object_id),
                by=str(request.user),
                reason=form.cleaned_data["reason"],
                now=timezone.now(),
            )
            messages.success(request, "The dead letter was dismissed.")
        except errors.DomainError as error:
            messages.error(request, error.detail)
        return _page(object_id)


def _id(object_id: str) -> int:
    """The id in a page's path; 0, which no dead letter has, for text that is no number."""
    return int(object_id) if object_id.isdecimal() else 0


def _page(object_id: str) -> HttpResponse:
    """Show the dead letter again. The dialog is htmx's, which follows only this header."""
    return HttpResponse(
        headers={"HX-Redirect": reverse("admin:messaging_deadletter_change", args=[object_id])}
    )


def readable(value: bytes) -> str:
    """The message for people: indented if it is JSON, at most MAX_SHOWN_BYTES of it."""
    with contextlib.suppress(msgspec.MsgspecError):
        value = msgspec.json.format(value, indent=2)
    shown = value[:MAX_SHOWN_BYTES].decode(errors="backslashreplace")
    return shown if len(value) <= MAX_SHOWN_BYTES else f"{shown}\n… {len(value) - MAX_SHOWN_BYTES} bytes more"
