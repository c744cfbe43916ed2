"""The ``labelwright`` command."""
