"""What a training costs: measured here, and projected to networks and ranks that are not here."""
