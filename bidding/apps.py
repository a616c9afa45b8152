"""The Django app of bidding. It has no models: its truth is the bid log in MongoDB."""

from django.apps import AppConfig


class BiddingConfig(AppConfig):
    name = "bidding"
    verbose_name = "Bidding"
