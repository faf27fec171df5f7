"""The pure heart: from a forecast and a pool's state to a decision with its reasons."""
