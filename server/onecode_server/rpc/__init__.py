"""gRPC: thin servicers that turn messages into the engine's nouns and back. No decisions are made here."""
