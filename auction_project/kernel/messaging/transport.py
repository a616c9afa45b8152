"""Chooses the transport of a process: Kafka if KAFKA_BOOTSTRAP_SERVERS is set, else Redis Streams."""

from django.conf import settings

from auction_project.kernel.messaging import broker
from auction_project.kernel.messaging.backends import redis_streams


def from_settings() -> broker.Broker:
    """A new client of the transport that the settings name."""
    namespace: str = settings.EVENTS_NAMESPACE
    if not settings.KAFKA_BOOTSTRAP_SERVERS:
        return redis_streams.RedisStreamsBroker(settings.REDIS_URL, namespace=namespace)
    from auction_project.kernel.messaging.backends import kafka  # loads librdkafka: only where Kafka is used

    return kafka.KafkaBroker(
        settings.KAFKA_BOOTSTRAP_SERVERS,
        namespace=namespace,
        options=settings.KAFKA_OPTIONS,
        retention_days=settings.EVENTS_KEEP_DAYS + 1,  # a day longer than the outboxes
    )
