"""Make buckets without waking S3, which most nights on a laptop never need."""

from __future__ import annotations

from moto.s3.models import s3_backends

from local.aws.bus import ACCOUNT, REGION

PARTITION = "aws"


class Buckets:
    """The part of an S3 client that provisioning needs, on moto's own state.

    A client of S3 and moto's first answer to it take 100 ms of a stack's start. Its models are in memory anyway:
    moto's DynamoDB imports them.
    """

    def create_bucket(self, *, Bucket: str) -> None:  # noqa: N803 (boto3's name of the parameter)
        """Make the bucket that everybody finds over HTTP."""
        s3_backends[ACCOUNT][PARTITION].create_bucket(Bucket, REGION)
