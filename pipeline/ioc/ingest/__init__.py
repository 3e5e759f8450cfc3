"""Events in: read from Kafka or an outbox, examined, and stored once each however often they come."""
