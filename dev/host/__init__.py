"""Runs the function app on this machine without Azure; the faithful host is Core Tools (``func start``)."""
