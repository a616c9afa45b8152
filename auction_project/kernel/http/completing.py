"""What asks for suggestions while a search is typed, and what is answered: the same in the shop and for auctions."""

from typing import Any

from rest_framework import serializers

from auction_project.kernel import words
from auction_project.kernel.http import rest


class SuggestionsQuery(rest.StrictSerializer):
    """What is typed so far."""

    q = serializers.CharField(max_length=words.MAX_QUERY_CHARACTERS, allow_blank=True)


class Suggestions(serializers.Serializer[Any]):
    """Texts to search for."""

    items = serializers.ListField(child=serializers.CharField())
