"""The auctions that exist: only these can be watched."""

from django.db import models


class Auction(models.Model):
    """An auction that was proposed, whether it was listed or not."""

    auction_id = models.CharField(max_length=64, primary_key=True)

    class Meta:
        ordering = ["auction_id"]

    def __str__(self) -> str:
        return self.auction_id
