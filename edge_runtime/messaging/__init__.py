"""Topics and the MQTT publisher that empties the outbox."""
