"""What this machine lacks for generated projects and for this command, and how to get it."""
