"""Real datastores under the emulator: servers on 127.0.0.1 that end when the emulator ends."""
