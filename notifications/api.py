"""The REST views of the notifications: a user's feed, what they have read, and the ticket for a stream."""

from typing import Any, get_args

from django.utils import timezone
from drf_spectacular import utils as openapi
from rest_framework import request, response, serializers, views

from auction_project.kernel import errors
from auction_project.kernel.http import api_schemas, rest
from notifications import cursors, frames, kinds, selectors, services
from notifications.push import tickets


class ListQuery(rest.StrictSerializer):
    """Where to begin, and how many notifications at most."""

    after = serializers.CharField(
        default="", allow_blank=True, help_text="A cursor: only what came after it, oldest first."
    )
    limit = serializers.IntegerField(min_value=1, max_value=selectors.MAX_LISTED, default=50)


class ReadBody(rest.StrictSerializer):
    """How far the user has read."""

    cursor = serializers.CharField(max_length=40, help_text="Of the last notification that was read.")


class Notification(serializers.Serializer[Any]):
    """One entry of the feed."""

    cursor = serializers.CharField()
    kind = serializers.ChoiceField([kind.wire_name for kind in kinds.TABLE.values()])
    text = serializers.CharField(help_text="One line for people.")
    badge = serializers.CharField(help_text="One or two words for the kind.")
    mood = serializers.ChoiceField(get_args(kinds.Mood), help_text="How good the news is; empty: neither.")
    link = serializers.CharField(
        allow_null=True, help_text="The path of the page that it is about; null: there is none."
    )
    data = serializers.DictField(help_text="The figures; amounts are decimal strings.")
    at = serializers.IntegerField(help_text="Milliseconds since the epoch.")
    withdrawn = serializers.BooleanField(help_text="A later notification has replaced this one.")
    read = serializers.BooleanField()


class NotificationList(serializers.Serializer[Any]):
    """A part of the feed, and where it goes on."""

    items = Notification(many=True)
    cursor = serializers.CharField(help_text="Send it as `after`, or resume a stream with it.")
    unread = serializers.IntegerField()
    more = serializers.BooleanField(help_text="There is more after `cursor` already.")
    snapshot_required = serializers.BooleanField(
        help_text="`after` is unknown: these are the latest notifications. Replace all that you have by them."
    )


class ReadPosition(serializers.Serializer[Any]):
    """How far the user has read, and how many notifications are unread."""

    cursor = serializers.CharField(help_text="Read up to here.")
    unread = serializers.IntegerField()


class StreamTicket(serializers.Serializer[Any]):
    """What opens one stream."""

    ticket = serializers.CharField(help_text="For `?ticket=` of one stream.")
    expires_in = serializers.IntegerField(help_text="Seconds.")


class NotificationsView(views.APIView):
    @openapi.extend_schema(
        summary="My notifications",
        parameters=[ListQuery],
        responses=NotificationList,
        tags=["notifications"],
    )
    def get(self, request: request.Request) -> response.Response:
        """The latest notifications, oldest first; with `after`, those that follow it."""
        query = ListQuery.of(request.query_params)
        after = cursors.parse(query["after"], field="after") if query["after"] else None
        head = services.get_or_open_head(user_id=request.user.sub, now=timezone.now())
        limit = query["limit"]
        if after is not None and head.knows(after):
            rows = selectors.list_after(user_id=request.user.sub, seq=after.seq, limit=limit)
            upto = rows[-1].seq if rows else after.seq
        else:
            rows = selectors.list_latest(user_id=request.user.sub, limit=limit)
            upto = rows[-1].seq if rows else 0
        return response.Response(
            {
                "items": [frames.item(row, head.epoch) | {"read": row.seq <= head.read_seq} for row in rows],
                "cursor": str(cursors.Cursor(head.epoch, upto)),
                "unread": selectors.count_unread(user_id=request.user.sub, read_seq=head.read_seq),
                "more": upto < head.last_seq,
                "snapshot_required": after is not None and not head.knows(after),
            }
        )


class ReadView(views.APIView):
    @openapi.extend_schema(
        summary="Mark notifications as read",
        request=ReadBody,
        responses={200: ReadPosition, 409: api_schemas.refusal("cursor_unknown")},
        tags=["notifications"],
    )
    def post(self, request: request.Request) -> response.Response:
        """A cursor that is older than an earlier one changes nothing."""
        cursor = cursors.parse(ReadBody.of(request.data)["cursor"])
        head = services.mark_read(user_id=request.user.sub, cursor=cursor, now=timezone.now())
        return response.Response(
            {
                "cursor": str(cursors.Cursor(head.epoch, head.read_seq)),
                "unread": selectors.count_unread(user_id=request.user.sub, read_seq=head.read_seq),
            }
        )


class TicketView(views.APIView):
    @openapi.extend_schema(
        summary="A one-time ticket for a stream",
        request=rest.NothingBody,
        responses=StreamTicket,
        tags=["notifications"],
    )
    def post(self, request: request.Request) -> response.Response:
        """For `wss://…/ws/v1/stream?ticket=…` or `GET /api/v1/stream?ticket=…`.

        It opens one stream. A stream of server-sent events that broke may go on with its ticket for ten minutes, with
        the last id that it got as Last-Event-ID, as browsers do by themselves.
        """
        rest.NothingBody.of(request.data)
        return response.Response(
            {
                "ticket": tickets.issue(tickets.Holder(request.user.sub, request.user.session)),
                "expires_in": tickets.TICKET_SECONDS,
            }
        )


class StreamView(views.APIView):
    """For the OpenAPI document only: `sse.application` answers this path before the request reaches Django."""

    permission_classes = ()

    @openapi.extend_schema(
        auth=[{}, {"accessToken": []}],
        summary="Notifications and auctions as server-sent events",
        parameters=[
            openapi.OpenApiParameter(
                "auctions", str, description="`ID,ID:SEQ`: which to follow, and up to where you have each."
            ),
            openapi.OpenApiParameter(
                "ticket",
                str,
                description="Instead of the Authorization header. The stream's own `Last-Event-ID` opens it again for ten minutes.",
            ),
            openapi.OpenApiParameter(
                "cursor", str, description="Resume after it; `Last-Event-ID` goes before."
            ),
            openapi.OpenApiParameter("Last-Event-ID", str, openapi.OpenApiParameter.HEADER),
        ],
        responses={
            (200, "text/event-stream"): openapi.OpenApiResponse(
                str, "each event's data is a frame of the WebSocket"
            ),
        },
        tags=["notifications"],
    )
    def get(self, _request: request.Request) -> response.Response:
        raise errors.NotFound("This server streams nothing.")
