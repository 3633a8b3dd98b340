"""What the package of a function is made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

Properties = Mapping[str, bool | str | list[str]]


@dataclass(frozen=True)
class Code:
    """A folder of sources, to be bundled where `esbuild` holds properties, as SAM names them.

    Or a folder that is `built`: what Lambda gets, as it is.

    https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-using-build-typescript.html
    """

    folder: Path
    esbuild: Properties | None = None
    built: bool = False
