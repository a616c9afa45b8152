"""The REST API of bidding: the bid as a bare ASGI endpoint, the views, and their bodies."""
