"""The environment variables by which a parent tells a process who it is.

This module imports nothing, so that the gateway, which starts without Django's apps (ADR 49), shares them with the other roles.
"""

COPY = "GAVEL_COPY"  # the name of this copy. Default: that of its machine
INSTANCE = "GAVEL_INSTANCE"  # `/readyz` answers its value, so that a parent recognises its child
