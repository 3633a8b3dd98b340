"""What a terminal shows: lines, errors, and how far a command is."""
