#!/usr/bin/env python
"""The command line of Gavel: `python manage.py help` lists the commands, roles among them."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auction_project.settings.base")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
