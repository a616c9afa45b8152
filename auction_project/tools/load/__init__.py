"""The load generator: thousands of bids over real HTTP from one process, every answer kept for `manage.py verify`.

`http` is a lean client, `crowd` bids, `manage.py load` and the benchmarks use both. Loopback addresses only.
"""
