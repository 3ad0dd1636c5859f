"""Pictures: arrays and Datasets in, matplotlib Axes out; never a model.

Every function draws on the Axes it is given, or on the current ones, and returns them. Axes carry their unit.
"""
