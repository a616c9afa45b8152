"""How events travel from app to app: outbox, relay, broker, consumer loop and `once`. Knows no app and no topic.

A change and its event are one transaction (`outbox`). One relay per source publishes in order (`relay`). A Broker carries
(`broker`, with the backends `memory`, `redis_streams`, `kafka`). The consumer loop gives each message to one handler and
applies the one failure policy (`consuming`, `failure`). `once` makes repetition harmless. A message that a consumer gives
up on is a dead letter (`dead_letters`): the database `default` lists it, and the admin replays it.
"""
