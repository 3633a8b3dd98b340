"""Checks anybody's template: where do failures end, and who is told?"""
