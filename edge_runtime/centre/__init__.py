"""What a monitoring centre runs beside the broker. No board imports it."""

from edge_runtime.centre.incoming import ChainKey
from edge_runtime.centre.subscriber import ReceivedAlert, Subscriber

__all__ = ["ChainKey", "ReceivedAlert", "Subscriber"]
