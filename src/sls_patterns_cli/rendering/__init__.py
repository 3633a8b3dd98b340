"""Renders projects with Copier."""
