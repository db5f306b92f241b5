"""Long campaigns as scripts; a short form of each runs in the suite."""
