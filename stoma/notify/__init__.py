"""Tells people when collecting stops working and when it works again.

deciding    what is known + what happened + now -> what is told, and what is known then: pure
messages    the words: pure
alerting    what follows from the end of a run, decided in its transaction; and from what a process sees
sending     takes messages out of the outbox and sends them
notifier    the thread that does, and what it tells by itself while the store is away
services    the only module that knows apprise
"""
