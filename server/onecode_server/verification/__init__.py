"""Verification of codes: batching, the ten steps of the check, and the verdict."""
