"""Amazon EventBridge's custom event bus, which keeps what it is sent."""
