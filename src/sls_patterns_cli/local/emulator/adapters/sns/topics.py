"""How adapters publish to topics; it changes nothing itself."""

from ministack.services import sns


def publish(topic_arn: str, text: str) -> None:
    """Publish a message in the name of a service; raises ValueError if it is refused."""
    try:
        published = sns.publish_internal(topic_arn, text)
    except sns.SnsPublishError as error:
        raise ValueError(str(error)) from error
    if published is None:
        raise ValueError(f"{topic_arn} does not exist")
