"""Interfaces to the operating system: the clock, descriptors, signals, files that survive a crash, watched files."""
