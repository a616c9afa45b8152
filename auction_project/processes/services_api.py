"""`GET /api/v1/services`: the registry for operators."""

from typing import Any

import msgspec
from django.conf import settings
from drf_spectacular import utils as openapi
from rest_framework import permissions, request, response, serializers, views

from auction_project.kernel.http import api_schemas, rest
from auction_project.processes import registry


class _Figure(serializers.Serializer[Any]):
    value = serializers.FloatField()
    unit = serializers.CharField()


class Service(serializers.Serializer[Any]):
    """A process, as it described itself within the last five seconds."""

    id = serializers.CharField()
    role = serializers.CharField(help_text="What kind of process it is: web, consume, …")
    copy = serializers.CharField(help_text="Its name among those of its role.")
    services = serializers.ListField(
        child=serializers.CharField(),
        help_text="The apps that it serves, or the groups that it consumes for.",
    )
    address = serializers.CharField(allow_blank=True, help_text="Where it serves, as host:port; or empty.")
    private_address = serializers.CharField(allow_blank=True, help_text="Where its probes and metrics are.")
    version = serializers.CharField()
    host = serializers.CharField()
    pid = serializers.IntegerField()
    started_at = serializers.IntegerField(help_text=api_schemas.INSTANT)
    ready = serializers.BooleanField()
    cpu = serializers.FloatField(allow_null=True, help_text="Its share of a core: 1 is a whole one.")
    memory_mib = serializers.FloatField(allow_null=True, help_text="Its resident memory.")
    rate = _Figure(allow_null=True, help_text="What it did in a second.")
    lag = _Figure(allow_null=True, help_text="What waits for it.")


class ServiceList(serializers.Serializer[Any]):
    """All processes that run now, by role and copy."""

    items = Service(many=True)


class ServicesView(views.APIView):
    permission_classes = (permissions.IsAuthenticated, rest.has_role("operator"))

    @openapi.extend_schema(responses=ServiceList, tags=["operation"])
    def get(self, request: request.Request) -> response.Response:
        """Which processes run now, with health, version, load and lag. For operators. 503 while Redis does not answer."""
        return response.Response({"items": msgspec.to_builtins(registry.processes(settings.REDIS_URL))})
