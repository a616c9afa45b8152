"""What every app may import of `auction_project`, and all that it may: no module in here knows an app."""
