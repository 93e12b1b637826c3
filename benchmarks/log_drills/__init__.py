"""Drills of machines that share a log: faults, delays, decisions, what a log costs, clocks that are wrong."""
