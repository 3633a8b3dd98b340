"""Adapters for EC2."""
