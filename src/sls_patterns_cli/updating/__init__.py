"""Updates generated projects to another version of their template."""
