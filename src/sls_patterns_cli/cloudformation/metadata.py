"""What this tool reads in the Metadata of a resource, under one key."""

OWN = "sls-patterns"

LETTERS = "letters"
"""Its value on a queue that `sls-patterns letters` may read, though it is no dead-letter queue."""
