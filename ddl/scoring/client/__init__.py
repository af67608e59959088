"""Worker processes outside the database, which let the server score pictures."""
