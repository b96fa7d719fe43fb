"""A broker in Python, for where no Mosquitto is: ``python -m ...python_broker PORT``.

moat-lib-mqtt speaks MQTT 5, which the daemon does. One thing is added: where nobody subscribed to a
message, its PUBACK says so (reason 0x10, MQTT 5.0 section 3.4.2.1), as Mosquitto's does. The daemon
then keeps the alert instead of taking it for delivered (docs/decisions/0004).
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from moat.lib.mqtt import MQTTPacket, MQTTPublishPacket, ReasonCode
from moat.lib.mqtt.async_broker import AsyncMQTTBroker, AsyncMQTTClientSession

from edge_runtime.service.demo.brokers import HOST


class TellingBroker(AsyncMQTTBroker):
    """Tells a publisher when nobody subscribed."""

    async def handle_packet(
        self, packet: MQTTPacket, session: AsyncMQTTClientSession, stream: Any
    ) -> None:
        """Deliver first, and acknowledge with what came of it."""
        if not isinstance(packet, MQTTPublishPacket) or packet.packet_id is None:
            await super().handle_packet(packet, session, stream)
            return
        publisher = session.state_machine
        receivers = self._state_machine.publish(publisher.client_id, packet)
        reason = ReasonCode.SUCCESS if receivers else ReasonCode.NO_MATCHING_SUBSCRIBERS
        publisher.acknowledge_publish(packet.packet_id, reason)
        for client_id in receivers:
            if receiver := self._client_sessions.get(client_id):
                await receiver.flush_outbound_data()


if __name__ == "__main__":
    asyncio.run(TellingBroker((HOST, int(sys.argv[1]))).serve())
