#!/usr/bin/env python
"""The command line of Gavel: `python manage.py help` lists the commands, roles among them.

The gateway runs without Django's apps, because it needs none: so it is back sooner after it has died.
"""

import gc
import os
import sys

import auction_project

if __name__ == "__main__":
    gc.set_threshold(auction_project.NEW_OBJECTS)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auction_project.settings.base")
    from django.core.exceptions import ImproperlyConfigured

    try:
        if sys.argv[1:2] == ["gateway"]:
            from auction_project.processes import gateway

            gateway.run(sys.argv[2:])
        from django.core.management import execute_from_command_line

        from auction_project.kernel import owned

        try:
            execute_from_command_line(sys.argv)
        finally:
            # An exit function of the interpreter is too late: no thread may begin any more, and a store's client may need one.
            owned.close_all()
    except ImproperlyConfigured as refused:
        print(f"The settings are refused:\n{refused}", file=sys.stderr)
        sys.exit(2)
    # Roles wait for their stores. A person gets a sentence in place of a traceback.
    except Exception as error:
        from auction_project.kernel.messaging import failure

        if failure.classify(error) is not failure.Fate.OUTAGE:
            raise
        sys.exit(
            f"A store is unavailable: {error}\nStart it, or name another in the environment (see .env.example)."
        )
