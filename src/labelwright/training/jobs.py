"""The kinds of jobs that learn."""

from __future__ import annotations
