"""Positions and morphologies: the base of all of them, and a module for each family."""
