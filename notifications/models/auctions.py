"""The auctions that exist."""

from django.db import models


class Auction(models.Model):
    """An auction that exists: only such a one can be watched."""

    auction_id = models.CharField(max_length=64, primary_key=True)

    class Meta:
        ordering = ["auction_id"]

    def __str__(self) -> str:
        return self.auction_id
