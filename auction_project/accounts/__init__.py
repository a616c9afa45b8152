"""Accounts: OWNS users, their roles, who may use the admin, and the signing of access tokens (database `default`).

The other apps know the id of a user, the claims of a token and the events AccountChanged and SessionEnded, nothing
else.
"""
