"""The catalogue: the read model of all auctions in Redis, from which lists, searches and "my bids" are answered (ADR 37).

The relay of the bid log keeps it (`publishing.catalogue_keeper`). All of it may vanish at any moment; then the relay fills it again from the
auctions' documents, while lists answer from what is there. Neither a list nor a search asks the bid store.
"""
