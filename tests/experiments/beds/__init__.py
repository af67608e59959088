"""Real servers on loopback that tests of experiments start and stop."""
