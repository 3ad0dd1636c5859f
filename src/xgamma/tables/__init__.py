"""Products as tables for people: a Dataset in, rows of texts out; nothing of pictures and models is loaded."""

from __future__ import annotations
