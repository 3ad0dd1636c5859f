"""Files in and out, a room for each format: ``read_`` makes a Dataset of a file, ``write_`` a file of a Dataset."""
