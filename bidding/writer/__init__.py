"""The only loop that writes the bid log, and what it keeps in memory of each auction. No file in here knows Django."""
