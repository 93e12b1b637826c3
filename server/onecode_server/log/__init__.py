"""The log that several machines share: messages in partitions, each in one order that is the same for all.

It speaks Kafka's protocol by confluent-kafka (librdkafka), which comes with the extra ``onecode[log]`` and is imported
where a log is used. This package knows bytes and partitions alone: their meaning is decided elsewhere.
"""
