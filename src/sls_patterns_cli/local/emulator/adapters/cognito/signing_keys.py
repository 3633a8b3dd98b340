"""User pools, which no service has here, get no signing key.

AWS: each user pool signs tokens with keys of its own. The tokens that a service checks here come
from `local/openid.py`.
https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html

Emulator: makes a key as it is imported, and keeps it outside of its temporary folder; that takes it
a tenth of its start.
"""

import importlib
import sys

from sls_patterns_cli.local.emulator.adapters import EmulatorChangedError

KEYS = "cryptography.hazmat.primitives.asymmetric.rsa"


def apply() -> None:
    sys.modules[KEYS] = None  # type: ignore[assignment]  # as if it were not installed
    try:
        cognito = importlib.import_module("ministack.services.cognito")
    finally:
        del sys.modules[KEYS]
    if cognito._RSA_PRIVATE_KEY is not None:
        raise EmulatorChangedError("ministack.services.cognito has a key of its own as it starts")
