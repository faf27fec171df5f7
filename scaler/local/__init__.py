"""How this machine provides what ``scaler.ports`` asks for."""
