"""The transports of events, each behind `broker.Broker`: Kafka, Redis Streams, and one process's memory."""
