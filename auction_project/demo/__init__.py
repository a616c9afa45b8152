"""The demo: a believable auction house with simulated bidders, on the real roles and stores.

`catalogue` what is sold, `pictures` draws it, `seed` makes accounts and stock, `market` lists lots, `bidders` bid over
REST as anybody would, `figures` reads what happened, `screen` shows it. `manage.py demo` puts them together.
"""
