"""Files, processes, signals and git on this machine; nothing here knows of patterns."""
