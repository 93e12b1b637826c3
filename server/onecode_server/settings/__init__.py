"""Settings: where they come from, the data directory, logs."""
