"""The import path of Gammapy's ``utils``."""
