"""What an inert resource says of itself; both sides of the wall ask here."""

REGION, ACCOUNT = "us-east-1", "000000000000"


def attribute_of(type_: str, name: str, attribute: str) -> str:
    """Return an attribute of an inert resource with this physical id; an ARN has the right form."""
    if not attribute.endswith("Arn"):
        return f"{name}-{attribute}"
    service = type_.split("::")[1].lower() if type_.startswith("AWS::") else "custom"
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{name}"
