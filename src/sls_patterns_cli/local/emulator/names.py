"""How resources that are there by name only are named; both sides of the wall ask here."""

import re

REGION, ACCOUNT = "us-east-1", "000000000000"


def attribute_of(type_: str, name: str, attribute: str) -> str:
    """Return an attribute of an inert resource with this physical id; an ARN has the right form."""
    if "Arn" not in attribute:
        return f"{name}-{attribute}"
    if not type_.startswith("AWS::"):
        return f"arn:aws:custom:{REGION}:{ACCOUNT}:{name}"
    _, service, kind = type_.split("::")[:3]
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind).lower()
    return f"arn:aws:{service.lower()}:{REGION}:{ACCOUNT}:{words}/{name}"
