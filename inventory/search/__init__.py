"""Search over the published offers, and what goes with it: suggestions, saved searches and the read cache.

`index` keeps what searches read, in the transaction of each change. `finding` answers a search and `counting` says how many
offers its filters have, both within bounds that hold at 100,000 offers. `cache` keeps answers in Redis for a moment.
`suggestions` completes what is typed; `matching` compares new offers and lots with what users want to hear of.

Knows nothing of services and of HTTP. What is typed is read by `kernel.words`, as bidding's catalogue reads it.
"""
