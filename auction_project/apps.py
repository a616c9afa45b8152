"""The Django app of the composition root: its commands and templates, the Celery application, the OpenAPI document."""

from django.apps import AppConfig


class KernelConfig(AppConfig):
    name = "auction_project"
    verbose_name = "Gavel"

    def ready(self) -> None:
        # Celery's application of this process: without it, tasks would be sent by Celery's unconfigured default.
        from auction_project import celery  # noqa: F401
        from auction_project.web import openapi  # noqa: F401 - drf-spectacular collects what was imported
