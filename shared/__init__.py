"""What the scaler and the training both need at run time."""
