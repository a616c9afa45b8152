"""`gateway` among Django's commands, so that `manage.py help` lists it. `manage.py` runs it without Django: see
processes/gateway.py."""

from typing import NoReturn

from django.core.management.base import BaseCommand

from auction_project.processes import gateway


class Command(BaseCommand):
    help = gateway.HELP

    def run_from_argv(self, argv: list[str]) -> NoReturn:
        gateway.run(argv[2:])

    def print_help(self, _prog_name: str, _subcommand: str) -> NoReturn:
        gateway.run(["--help"])
