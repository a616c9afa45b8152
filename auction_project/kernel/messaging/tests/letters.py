"""A dead letter that a consumer gave up on, recorded as the handler of dead letters records it."""

from datetime import datetime

from auction_project.kernel.messaging import dead_letters, models, services


def record(topic: str, key: str, *, group: str, at: datetime) -> models.DeadLetter:
    """The row, which waits for an operator."""
    return services.record_dead_letter(
        dead_letter=dead_letters.DeadLetter(
            topic=topic,
            key=key,
            group=group,
            partition=0,
            position="1",
            error="ValueError()",
            attempts=5,
            at=at,
            value=b"{}",
        )
    )
