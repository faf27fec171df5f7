"""From history to a forecast: features, families of models, and models as they are stored."""
