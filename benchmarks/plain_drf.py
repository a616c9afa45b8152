"""R4: the bid view that one writes first: Django REST framework, the ORM, a row lock, a transaction for each bid."""

import argparse
import os
from typing import Any

import django
import environ
import uvicorn
from django.conf import settings

settings.configure(
    SECRET_KEY=os.urandom(16).hex(),
    ALLOWED_HOSTS=["127.0.0.1"],
    DATABASES={
        "default": environ.Env().db_url("DATABASE_URL_DEFAULT")
        | {"OPTIONS": {"pool": {"min_size": 2, "max_size": 16}}}
    },
    INSTALLED_APPS=["django.contrib.contenttypes", "rest_framework"],
    ROOT_URLCONF=__name__,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": [], "UNAUTHENTICATED_USER": None},
)
django.setup()

from django.core.asgi import get_asgi_application
from django.db import connection, models, transaction
from django.urls import path
from rest_framework import response, serializers, views


class Auction(models.Model):
    name = models.CharField(max_length=64, unique=True)
    price = models.DecimalField(max_digits=14, decimal_places=2, default=0)

    class Meta:
        app_label = "plain"
        db_table = "bench_plain_auction"


class Bid(models.Model):
    auction = models.ForeignKey(Auction, on_delete=models.CASCADE)
    bidder = models.CharField(max_length=64)
    amount = models.DecimalField(max_digits=14, decimal_places=2)
    placed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "plain"
        db_table = "bench_plain_bid"


class Body(serializers.Serializer[Any]):
    amount = serializers.DecimalField(max_digits=14, decimal_places=2)
    currency = serializers.CharField(max_length=3)


class Bids(views.APIView):
    def post(self, request: Any, auction_id: str) -> response.Response:
        body = Body(data=request.data)
        body.is_valid(raise_exception=True)
        with transaction.atomic(using="default"):
            auction = Auction.objects.select_for_update().get(name=auction_id)
            if body.validated_data["amount"] <= auction.price:
                return response.Response({"code": "bid_too_low"}, status=409)
            auction.price = body.validated_data["amount"]
            auction.save(update_fields=["price"])
            bid = Bid.objects.create(auction=auction, bidder="a bidder", amount=auction.price)
        return response.Response({"seq": bid.pk, "price": str(auction.price)}, status=201)


urlpatterns = [path("api/v1/auctions/<str:auction_id>/bids", Bids.as_view())]


def _make_tables(auctions: list[str]) -> None:
    with connection.schema_editor() as editor:
        for table in (Bid, Auction):
            if table._meta.db_table in connection.introspection.table_names():
                editor.delete_model(table)
        editor.create_model(Auction)
        editor.create_model(Bid)
    Auction.objects.bulk_create(Auction(name=name) for name in auctions)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--auctions", required=True, help="comma-separated names")
    options = parser.parse_args()
    _make_tables(options.auctions.split(","))
    uvicorn.run(
        get_asgi_application(),
        port=options.port,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_config=None,
    )
