"""E-mail: one per notification at most, from its row to the mail server."""
