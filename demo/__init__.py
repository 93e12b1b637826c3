"""The demonstration behind ``make demo``: a real server, a real store, real codes, and every kind of answer."""
