"""What every S3 server of the tests has: a key, and one bucket, ``products``."""

import uuid


class S3Server:
    """A server at ``url``; ``own_words`` are the key, its secret and, where there is one, a session token."""

    own_words = ()
    is_real = True
    url = ""

    @property
    def environment(self):
        """What a user sets to be let in."""
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        where = {"AWS_ENDPOINT_URL": self.url, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1"}
        return where | dict(zip(names, self.own_words, strict=False))

    def new_url(self):
        """Return the url of a place where nothing is yet."""
        return f"s3://products/{uuid.uuid4().hex[:8]}/a store"
