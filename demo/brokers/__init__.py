"""Three brokers of Apache Kafka on loopback, for the demonstration of a cluster and for tests of the log."""
