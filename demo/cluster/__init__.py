"""``make cluster``: three brokers and three machines that share a log, watched while parts of them are killed."""
