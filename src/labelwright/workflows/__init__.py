"""Workflows: checking a graph before a row is read, and running it over a batch."""
