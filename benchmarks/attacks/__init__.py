"""Hostile callers against a fresh server, and what a polite one notices of them: ``make attack``.

An attack is a coroutine that never ends and asks nothing of the server but that it listens: it runs at a bounded rate,
in a process of its own, against loopback only. ``catalogue`` has them all.
"""
