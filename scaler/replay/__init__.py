"""Replays history through the same ``decide`` that runs in production."""
