"""Metrics, and their low-cost counters."""
