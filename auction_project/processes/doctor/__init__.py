"""Says what is wrong with an installation and what to do about it. It changes nothing, and works while everything is down.

`examination` puts the checks together; each of `stores`, `work` and `site` holds some, one small function each.
"""
