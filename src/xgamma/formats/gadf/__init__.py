"""The GADF format of event lists, responses and index tables: ``read`` and ``write`` never meet."""
