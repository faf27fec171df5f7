"""How Azure provides what training asks for."""
