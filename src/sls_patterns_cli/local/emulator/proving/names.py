"""How what stands elsewhere is named; both sides of the wall ask here."""

from sls_patterns_cli.local.emulator.names import ACCOUNT, REGION

QUEUE_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:sls-patterns-outside"
OUTSIDE_QUEUES = QUEUE_ARN, f"{QUEUE_ARN}.fifo"
"""Stand for every end outside of a template."""
