"""`edge-runtime demo`: the whole daemon, a broker and a subscriber, to be watched.

Nothing is played: the daemon is the real one in a process of its own, the alerts are in its outbox
and go over MQTT, the broker is killed and started again, and what is shown is what a subscriber
receives.
"""
