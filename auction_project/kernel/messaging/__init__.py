"""How the apps' events travel: outbox, relay, broker, consumer loop and `once`. Knows no app and no rule of theirs.

A change and its event are one transaction (`outbox`); one relay per source publishes in order (`relay`); a Broker
carries (`broker`, with the backends `memory`, `redis_streams`, `kafka`); the consumer loop hands each message to one
handler and applies the one failure policy (`consuming`, `failure`); `once` makes repetition harmless. What a consumer
gives up on is a dead letter (`dead_letters`): listed in the database `default`, sent again from the admin.
"""
