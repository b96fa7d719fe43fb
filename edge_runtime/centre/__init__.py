"""What a monitoring centre runs beside the broker. No board imports it."""

from edge_runtime.alerts.chain import ChainName
from edge_runtime.centre.subscriber import ReceivedAlert, Subscriber

__all__ = ["ChainName", "ReceivedAlert", "Subscriber"]
