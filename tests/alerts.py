"""An alert for tests that need any."""

from __future__ import annotations

from edge_runtime.alerts.alert import Alert, AlertState, Severity

ALERT = Alert(
    rule="presence",
    name="at the machine",
    camera="front",
    state=AlertState.STARTED,
    severity=Severity.HIGH,
    timestamp=12.5,
    wall_time=1_790_000_000.0,
    decided_after=1.0,
    duration=0.0,
    incident="front/1",
)
