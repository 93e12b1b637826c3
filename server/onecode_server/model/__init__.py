"""The model: immutable types of the domain, without I/O, clock or decisions. ``rules`` and ``verification`` decide."""
