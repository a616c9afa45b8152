"""The bid log and all else that bidding stores in MongoDB: the only package that knows pymongo.

Each class owns its collections: `bid_log` the entries, `auctions` their documents, `writers` the incarnations, `leases` who
works, `reports` what other apps have reported; `mongo` puts them together. `protocols` says what a writer needs of them.

Needs of a server: ordered bulk inserts, unique indexes, point reads by `_id` and by single fields; no transaction, no
change stream, no array filter.

Promises: an acknowledged append is durable (w=majority, j=true); the driver never repeats a write by itself; an append
whose outcome the server leaves open raises OutcomeUnknown, and any other operation that the server does not answer raises
errors.Unavailable.
"""
