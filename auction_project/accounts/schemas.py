"""The body of the export of personal data, made by `personal.export`, for the OpenAPI document. Instants are ISO 8601."""

from typing import Any

from rest_framework import serializers

from auction_project.accounts import models


class _Account(serializers.Serializer[Any]):
    id = serializers.CharField()
    email = serializers.EmailField()
    email_verified = serializers.BooleanField()
    state = serializers.ChoiceField(models.State.choices)
    roles = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    last_sign_in_at = serializers.DateTimeField(allow_null=True)


class _Address(serializers.Serializer[Any]):
    email = serializers.EmailField()
    verified = serializers.BooleanField()
    primary = serializers.BooleanField()


class _Session(serializers.Serializer[Any]):
    ip = serializers.CharField()
    program = serializers.CharField(help_text="The User-Agent header.")
    signed_in_at = serializers.DateTimeField()


class _Factor(serializers.Serializer[Any]):
    kind = serializers.CharField()
    set_up_at = serializers.DateTimeField()


class _Sighting(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(models.Sighting.Kind.choices)
    hash = serializers.CharField(help_text="Tells it from others. What it was made of is not stored.")
    first_seen_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()


class _Action(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    what = serializers.CharField()
    detail = serializers.CharField()
    reason = serializers.CharField()


class _Look(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    page = serializers.CharField()


class _Elsewhere(serializers.Serializer[Any]):
    orders = serializers.CharField()
    bids = serializers.CharField()
    card = serializers.CharField()
    addresses = serializers.CharField()
    notifications = serializers.CharField()
    searches = serializers.CharField()


class PersonalData(serializers.Serializer[Any]):
    """All that accounts holds about one person; each list holds the newest 1,000 rows."""

    account = _Account()
    addresses = _Address(many=True)
    sessions = _Session(many=True)
    second_factor = _Factor(many=True)
    devices_and_networks = _Sighting(many=True, help_text="Where the account signed in.")
    history = _Action(many=True)
    looked_at_by_the_auction_house = _Look(many=True)
    elsewhere = _Elsewhere(help_text="Where the rest of the data is.")
