"""Follows a failure to its end: sends something in, breaks the consumer, sees where it goes.

`wiring` says which edges a stack has, the emulator of `local` deploys it with stand-ins in front of
functions and state machines. Nobody's code runs, and nothing leaves this machine.
"""
