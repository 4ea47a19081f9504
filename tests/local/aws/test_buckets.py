import uuid
from collections.abc import Callable
from typing import Any

from local.aws.buckets import Buckets


def test_makes_a_bucket_that_is_there_over_http(aws: Callable[[str], Any]) -> None:
    bucket = f"payloads-{uuid.uuid4().hex}"

    Buckets().create_bucket(Bucket=bucket)
    aws("s3").put_object(Bucket=bucket, Key="payloads/1", Body=b"{}")

    assert aws("s3").get_object(Bucket=bucket, Key="payloads/1")["Body"].read() == b"{}"
