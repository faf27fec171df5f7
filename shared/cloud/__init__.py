"""How Azure provides what ``shared.ports`` asks for."""
