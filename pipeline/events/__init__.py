"""The contract with the outside: event types, schemas, outbox and Kafka."""
