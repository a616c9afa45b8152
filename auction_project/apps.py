"""The Django app of the composition root: its commands and templates, and the Celery application."""

from django.apps import AppConfig


class KernelConfig(AppConfig):
    name = "auction_project"
    verbose_name = "Gavel"

    def ready(self) -> None:
        from auction_project import bootstrap, celery  # noqa: F401 - else tasks go out by Celery's unconfigured default

        bootstrap.install()
