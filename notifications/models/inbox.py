"""The events that were handled, so that a repeated event changes nothing."""

from auction_project.kernel.messaging import once


class Once(once.OnceRow):
    class Meta(once.OnceRow.Meta):
        abstract = False
        verbose_name_plural = "once"
