"""Where status records, opaque tokens, exceptions and the highest trust list are kept.

To add a store: a module with a class that has the methods of ``protocol.Store``, and a line in ``composition``. Stores
know the model and nothing of rules: what must be decided inside a transaction is handed in as a function.
"""
