"""Decides what is due, runs it, and remembers what became of it."""
