"""Labelwright: a self-hosted auto-annotation server that speaks the Clarifai V2 API."""

__version__ = "0.1.0"
