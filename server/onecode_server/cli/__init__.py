"""The command ``onecode``: one file a group of commands, and how they show what they found.

Commands that call a server use ``onecode_client``; those that work on a data directory use ``app``.
"""
