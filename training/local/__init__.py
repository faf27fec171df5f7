"""How this machine provides what training asks for."""
