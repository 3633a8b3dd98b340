"""The asynchronous edges of a stack: where failures end, who is told, and the way back."""
