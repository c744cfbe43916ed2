"""``python -m labelwright`` is the command."""

from labelwright.cli.main import run

if __name__ == "__main__":
    run()
