"""A delivery stream has the source that its type says.

AWS: a stream of the type KinesisStreamAsSource names the data stream that it reads, and no other
type does. Only one of the type DirectPut is encrypted itself; another keeps nothing at rest.
https://docs.aws.amazon.com/firehose/latest/APIReference/API_CreateDeliveryStream.html
https://docs.aws.amazon.com/firehose/latest/APIReference/API_StartDeliveryStreamEncryption.html

Emulator: takes any combination.
"""

from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import firehose

from sls_patterns_cli.local.emulator.adapters import replace

Request = dict[str, Any]
Response = tuple[int, dict[str, str], bytes]
Create = Callable[[Request], Response]


def apply() -> None:
    replace(firehose, "_create_delivery_stream", "4d5903ac6582", _checked)
    replace(firehose._HANDLERS, "CreateDeliveryStream", "4d5903ac6582", _checked)


def _checked(create: Create) -> Create:
    def create_delivery_stream(request: Request) -> Response:
        reads = request.get("DeliveryStreamType", "DirectPut") == "KinesisStreamAsSource"
        if reads != bool(request.get("KinesisStreamSourceConfiguration")):
            return _refused("KinesisStreamSourceConfiguration", "KinesisStreamAsSource")
        if reads and request.get("DeliveryStreamEncryptionConfigurationInput"):
            return _refused("DeliveryStreamEncryptionConfigurationInput", "DirectPut")
        return create(request)

    return create_delivery_stream


def _refused(parameter: str, stream_type: str) -> Response:
    says = f"{parameter} is only applicable for the type {stream_type}"
    response: Response = error_response_json("InvalidArgumentException", says, 400)
    return response
