"""Make the token with which RDS lets a Lambda's role log in; AWS is not asked for it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from botocore.signers import RequestSigner

# RDS accepts no longer: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html
VALID_SECONDS = 900


def iam_token(host: str, port: int, username: str) -> str:
    """Return what serves as the password of `username` for the next 15 minutes: a signed URL without its scheme.

    It is what boto3's `generate_db_auth_token` returns. That would first read RDS's whole API model (40 ms), for a
    signature that needs none of it.
    """
    request = {
        "url_path": "/",
        "query_string": "",
        "headers": {},
        "body": {"Action": "connect", "DBUser": username},
        "url": f"https://{host}:{port}/",
        "method": "GET",
        "context": {},
    }
    signer, region = _signer()
    url: str = signer.generate_presigned_url(
        request_dict=request,
        operation_name="connect",
        expires_in=VALID_SECONDS,
        region_name=region,
        signing_name="rds-db",
    )
    return url.removeprefix("https://")


@cache
def _signer() -> tuple[RequestSigner, str]:
    import boto3  # noqa: PLC0415 (a process that logs in with a password should not pay for it)
    from botocore.exceptions import NoCredentialsError, NoRegionError  # noqa: PLC0415 (as above)
    from botocore.model import ServiceId  # noqa: PLC0415 (as above)
    from botocore.signers import RequestSigner  # noqa: PLC0415 (as above)

    session = boto3.Session()
    credentials, region = session.get_credentials(), session.region_name
    if credentials is None:
        raise NoCredentialsError
    if region is None:
        raise NoRegionError
    return RequestSigner(ServiceId("rds"), region, "rds-db", "v4", credentials, session.events), region


def forget_role() -> None:
    """Look for the role's credentials anew: for a process whose environment changes, as a test's does."""
    _signer.cache_clear()
