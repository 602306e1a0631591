"""Intervals of shares and of their differences. Pure; scalars or numpy arrays."""

from __future__ import annotations
