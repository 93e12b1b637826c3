"""Stores of status records, opaque tokens, exceptions and the highest trust list.

To add a store, write a module with a class that has the methods of ``protocol.WritableStore``, and open it in
``composition.open_store``. Stores depend on the model and on no rules: a decision inside a transaction is passed in as
a function.
"""
