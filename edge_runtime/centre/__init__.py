"""What a monitoring centre runs beside the broker. No board imports it."""
