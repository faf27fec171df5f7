"""The node-scaling benchmark: Forescale, what one would have otherwise, and peers from their own packages."""
