"""Why an input was refused."""


def refusal(name, rule, received, remedy):
    """A ValueError that tells the modality, the rule, what came, and what to do."""
    return ValueError(f"{name}: {rule} Received: {received}. {remedy}")


def shown(value):
    """What came instead of a file, in a few words."""
    return f"{len(value)} bytes beginning with {value[:16]!r}" if isinstance(value, bytes) else type(value).__name__
