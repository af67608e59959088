"""A live page about a store, on this machine: an optional extra (Starlette, uvicorn)."""
