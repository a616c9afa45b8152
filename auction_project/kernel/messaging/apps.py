"""The Django app of the messaging kernel: it owns the list of dead letters in the database `default`."""

from django.apps import AppConfig


class MessagingConfig(AppConfig):
    name = "auction_project.kernel.messaging"
    label = "messaging"
    verbose_name = "Messages"
    default_auto_field = "django.db.models.BigAutoField"
