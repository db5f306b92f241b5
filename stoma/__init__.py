"""Stoma: collects public data on schedules.

A tick finds what is due; a run carries it through collector, normalizer and store; the store remembers.
"""

__version__ = "0.1.0"
