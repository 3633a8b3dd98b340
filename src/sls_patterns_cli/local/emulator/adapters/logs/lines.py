"""Puts the lines of a service into the log group that it is told; it changes nothing itself."""

import time

from ministack.services import cloudwatch_logs


def put_line(group_arn: str, stream: str, line: str, seconds: float | None = None) -> None:
    """Put a line of this moment, by default now, into a stream, which is created if need be."""
    group = group_arn.removesuffix(":*").rpartition(":")[2]
    place = {"logGroupName": group, "logStreamName": stream}
    timestamp = int(1000 * (time.time() if seconds is None else seconds))
    cloudwatch_logs._create_log_stream(place)  # refused where there is one
    event = {"timestamp": timestamp, "message": line}
    cloudwatch_logs._put_log_events({**place, "logEvents": [event]})
