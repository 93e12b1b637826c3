"""The replicated log's messages: their form, their signatures, and how each machine applies them to its store.

Applying is a pure function of a machine's state and a message. No module here reads a clock, draws a random number, or
does I/O; ``ReplicaState`` is what applying reads and writes, inside one transaction of the machine's store.
"""
