"""Bytes at a URL: a folder, a bucket, a server or memory, with the retries of a server that does not answer."""
