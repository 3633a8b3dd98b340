"""Serverless patterns for AWS: complete projects from one command, proven on this machine."""
