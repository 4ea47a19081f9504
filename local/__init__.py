"""The workshop: the local stack and the command line. Never deployed."""
