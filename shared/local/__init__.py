"""How this machine provides what ``shared.ports`` asks for."""
