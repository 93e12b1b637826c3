"""The nouns of the field, immutable. No I/O, no clock, no decisions: those are in ``rules`` and ``engine``."""
