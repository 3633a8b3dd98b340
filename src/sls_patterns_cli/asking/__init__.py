"""Asks questions in a terminal: searched lists, typed texts, and a way back."""
