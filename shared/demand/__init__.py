"""Demand as history: its shape, its file formats, and where it is read from."""
