"""Adapters for ElastiCache."""
