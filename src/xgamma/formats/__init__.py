"""Files in and out: one module a format, ``read_`` and ``write_``; readers and writers meet only in the Dataset."""
