"""Modules that `ddl.scoring.server` needs inside PostgreSQL's processes."""
