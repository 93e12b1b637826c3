"""Recognition exceptions: the service that changes them, their list, and the cache that the verifier uses."""
