"""What `ddl.scoring.server` needs inside PostgreSQL's processes."""
