"""Sizes node pools ahead of demand."""
