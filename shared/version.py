"""The version of Forescale: the only place that states it; everything that shows a version reads this."""

VERSION = "0.1.0"
