"""Backgrounds: where off events are taken from, and how they are scaled."""
