"""The two warehouses; stock is taken from the first one first."""

from django.db import migrations

WAREHOUSES = (("CENTRAL", "Central warehouse", 1), ("HARBOUR", "Harbour warehouse", 2))


def open_warehouses(apps, schema_editor):
    manager = apps.get_model("inventory", "Warehouse").objects.using(schema_editor.connection.alias)
    for code, name, priority in WAREHOUSES:
        manager.get_or_create(code=code, defaults={"name": name, "priority": priority})


class Migration(migrations.Migration):
    dependencies = [("inventory", "0002_immutable_moves")]
    operations = [migrations.RunPython(open_warehouses, migrations.RunPython.noop)]
