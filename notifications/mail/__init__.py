"""E-mail: at most one for each notification, from its row to the mail server."""
