"""The migrations of the catalogue on data from before: pictures keep their addresses, and doubles of SKUs get numbers."""

from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connections
from django.db.migrations import executor

from inventory import models, refusals, services
from inventory.tests.conftest import NOW

pytestmark = pytest.mark.django_db(databases=["inventory"], transaction=True)
BEFORE = [("inventory", "0008_offers")]
OLD, NEW = "0" * 64, "1" * 64


@pytest.fixture
def migrated():
    """`migrated(make)`: all migrations, on the rows that `make(apps)` has made with the models from before."""

    def migrate(make):
        migrations = executor.MigrationExecutor(connections[models.DATABASE])
        migrations.migrate(BEFORE)
        try:
            make(migrations.loader.project_state(BEFORE).apps)
        finally:
            latest = executor.MigrationExecutor(connections[models.DATABASE])
            latest.migrate([node for node in latest.loader.graph.leaf_nodes() if node[0] == "inventory"])

    return migrate


def product(apps, product_id, sku, *, age=0, **fields):
    return (
        apps.get_model("inventory", "Product")
        .objects.using(models.DATABASE)
        .create(
            id=product_id * 32,
            sku=sku,
            title=sku,
            condition="GOOD",
            owner_id="house",
            created_at=NOW - timedelta(days=age),
            created_by="ada",
            **fields,
        )
    )


def test_the_present_picture_becomes_the_first_and_former_ones_keep_their_addresses(client, migrated):
    for name in ("new", "new-small", "old", "old-small"):
        default_storage.save(name, ContentFile(name.encode()))

    def make(apps):
        corrected = product(apps, "a", "A", image="new", thumbnail="new-small", image_digest=NEW)
        product(apps, "b", "B")
        corrections = apps.get_model("inventory", "Correction").objects.using(models.DATABASE)
        for image, digest in (("", ""), ("old", OLD), ("new", NEW), ("old", OLD)):
            corrections.create(
                product=corrected,
                title="A",
                condition="GOOD",
                image=image,
                thumbnail=image and f"{image}-small",
                image_digest=digest,
                actor="ada",
                at=NOW,
            )

    migrated(make)

    pictures = models.Picture.objects.order_by("digest").values_list("product_id", "digest", "position")
    assert list(pictures) == [("a" * 32, OLD, None), ("a" * 32, NEW, 0)]
    addresses = {
        models.Product.objects.get(id="a" * 32).image_url: b"new",
        f"/api/v1/products/{'a' * 32}/image?v={'0' * 12}": b"old",
        f"/api/v1/products/{'a' * 32}/thumbnail?v={'0' * 12}": b"old-small",
    }
    assert {address: client.get(address).content for address in addresses} == addresses
    assert models.Correction.objects.count() == 4


def test_of_doubles_the_oldest_keeps_its_sku_and_the_later_ones_get_numbers(migrated, capsys):
    def make(apps):
        product(apps, "a", "abc", age=1)
        product(apps, "b", "ABC", age=3)
        product(apps, "c", "ＡＢＣ", age=2)
        product(apps, "d", "abc-2")
        product(apps, "e", "x" * 40, age=2)
        product(apps, "f", "X" * 40)

    migrated(make)

    skus = dict(models.Product.objects.order_by("id").values_list("sku", "sku_folded"))
    assert list(skus) == ["abc-4", "ABC", "ＡＢＣ-3", "abc-2", "x" * 40, "X" * 38 + "-2"]
    assert list(skus.values()) == ["abc-4", "abc", "abc-3", "abc-2", "x" * 40, "x" * 38 + "-2"]
    assert (
        f"product {'a' * 32}: the SKU 'abc' is now 'abc-4', because an older one has it"
        in capsys.readouterr().out
    )
    with pytest.raises(refusals.SkuTaken):
        services.create_product(
            product_id="9" * 32,
            sku="Abc",
            title="x",
            description="",
            condition="NEW",
            owner_id="house",
            actor="x",
            now=NOW,
        )
