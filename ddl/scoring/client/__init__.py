"""Workers outside the database, which have it score pictures."""
