"""Servers of the same contract that others might have written: what the benchmark compares with."""
