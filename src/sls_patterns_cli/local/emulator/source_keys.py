"""Which services say on whose behalf they assume a role.

A trust policy may demand `aws:SourceAccount` or `aws:SourceArn` only of a service whose
documentation promises the key. A key that is not sent matches nothing: AssumeRole is denied.
API Gateway sends none:
https://github.com/aws-solutions-library-samples/accelerated-intelligent-document-processing-on-aws/pull/479
Nor does the trust policy that Firehose documents have one:
https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#firehose-assume-role
The contract of the templates and the local stack both read this list.
"""

SOURCE_KEYS = frozenset(
    {"aws:sourceaccount", "aws:sourcearn", "aws:sourceorgid", "aws:sourceorgpaths"}
)
"""Keys that only the calling service can fill in, in lower case, as IAM ignores their case."""

SENT_KEYS = {
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/cross-service-confused-deputy-prevention.html
    "pipes.amazonaws.com": frozenset({"aws:sourceaccount", "aws:sourcearn"}),
    # https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
    "scheduler.amazonaws.com": frozenset({"aws:sourceaccount", "aws:sourcearn"}),
    # https://docs.aws.amazon.com/step-functions/latest/dg/procedure-create-iam-role.html#prevent-cross-service-confused-deputy
    "states.amazonaws.com": frozenset({"aws:sourceaccount", "aws:sourcearn"}),
}
"""The keys that each service sends; a service that is missing here sends none."""

SENT_BY_SUBSCRIBERS = frozenset({"aws:sourceaccount", "aws:sourcearn"})
"""What EventBridge sends for a subscriber of a custom event bus; for rules AWS promises no key.

https://github.com/aws/agent-toolkit-for-aws (skills, amazon-eventbridge-event-bus, walkthroughs)
"""
