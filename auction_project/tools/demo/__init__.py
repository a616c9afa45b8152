"""The demo: a believable auction house with simulated bidders, on the real roles and stores.

`catalogue` lists what is sold, `pictures` draws it, `people` lists who takes part, `seed` makes their accounts and the
stock. `market` lists lots, `storeroom` receives and loses units, `bidders` bid over REST through `client`; `shop` shows
them the open lots, `parcels` ships what was sold, `turns` keeps them going through every outage. `figures` adds up what happens, `screen` shows it,
and by `instance` other commands find the running demo. `mailbox` keeps its mail, and `web` shows it. `manage.py demo`
puts them together.
"""
