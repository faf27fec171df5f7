"""Makes, judges and publishes the models."""
