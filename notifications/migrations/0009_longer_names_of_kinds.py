"""The names of kinds have up to 30 characters."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('notifications', '0008_a_notice_finds_its_checkout'),
    ]

    operations = [
        migrations.AlterField(
            model_name='notification',
            name='kind',
            field=models.CharField(help_text='the name of a row of kinds.TABLE', max_length=30),
        ),
    ]
