"""The Django app of the kernel: its commands, templates and the additions to the OpenAPI document."""

from django.apps import AppConfig


class KernelConfig(AppConfig):
    name = "auction_project"
    verbose_name = "Gavel"

    def ready(self) -> None:
        from auction_project import bootstrap
        from auction_project.web import openapi  # noqa: F401 - drf-spectacular collects what was imported

        bootstrap.install()
