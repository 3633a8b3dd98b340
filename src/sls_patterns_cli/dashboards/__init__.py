"""Dashboards of CloudWatch: what a template says of them, and a picture of it."""
