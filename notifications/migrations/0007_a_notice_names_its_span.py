from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('notifications', '0006_a_notice_finds_its_lot_and_sale'),
    ]

    operations = [
        migrations.AddField(
            model_name='notification',
            name='traceparent',
            field=models.CharField(blank=True, db_default='', default='', help_text='its span, if its trace is kept', max_length=55),
        ),
    ]
