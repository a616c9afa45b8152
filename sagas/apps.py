"""The Django app of the sagas; its tables live in the database `sagas`."""

from django.apps import AppConfig


class SagasConfig(AppConfig):
    name = "sagas"
    verbose_name = "Sagas"
