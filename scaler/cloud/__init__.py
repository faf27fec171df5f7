"""How Azure provides what ``scaler.ports`` asks for."""
