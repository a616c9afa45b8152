"""The only part of `auction_project` that an app may import. No module in here knows an app."""
