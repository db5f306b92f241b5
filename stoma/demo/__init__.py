"""A demonstration without a network: a local stand-in for the sources."""
