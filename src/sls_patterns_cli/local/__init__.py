"""Proves a generated project on this machine: a local AWS emulator, no Docker, no AWS account.

`test` and `up` are the way in; `docs/design.md` says why the parts are what they are.
"""
