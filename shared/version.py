"""The version of Forescale, in one place."""

VERSION = "0.1.0"
