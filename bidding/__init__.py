"""Bidding: auctions and the bid log, in MongoDB. See `rules` for what is decided, `committer` for how it is stored."""
