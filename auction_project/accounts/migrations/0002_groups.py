"""The groups: roles of the auctions, and the desks of the admin. What a desk may do: `manage.py migrate_all`."""

from django.db import migrations

GROUPS = (
    "bidder",
    "seller",
    "operator",
    "stock clerk",
    "auction operator",
    "finance",
    "viewer",
)


def make_groups(apps, schema_editor):
    manager = apps.get_model("auth", "Group").objects.using(schema_editor.connection.alias)
    for name in GROUPS:
        manager.get_or_create(name=name)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial"), ("auth", "0012_alter_user_first_name_max_length")]
    operations = [migrations.RunPython(make_groups, migrations.RunPython.noop)]
