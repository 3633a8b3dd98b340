"""What the proofs of a project do with their stack beside calling it.

A project's `tests/e2e/harness/` starts `sls-patterns harness` and asks it over HTTP, in each
language with the same operations. So it is written once, and it outlives the proofs: what they have
changed is restored even if they are killed.
"""
