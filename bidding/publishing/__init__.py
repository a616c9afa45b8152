"""From the bid log to the events of other apps: the relay, and what each entry becomes."""
