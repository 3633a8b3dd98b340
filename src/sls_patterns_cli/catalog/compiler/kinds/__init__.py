"""The kinds of resources, a module each: their numbers with their sources, and their alarms."""
