"""Accounts: OWNS users, their roles, who may work at the admin's desk, and the signing of access tokens (database
`default`). The other apps know a user's id, the claims of a token and the event AccountChanged, nothing else.
"""
