"""The role with which CI deploys a stack: derived from the stack's template."""
