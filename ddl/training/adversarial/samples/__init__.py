"""What a generator's samples look like: grids of fixed latent vectors, ways between them, and picture files."""
