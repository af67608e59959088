"""Asynchronous training on Ray: leases of samples, a server, workers that come and go, an audit.

This is the only room that knows Ray.
"""
