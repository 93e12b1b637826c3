"""Status records of subjects: the cache in front of the store, and the change feed reader that keeps it current."""
