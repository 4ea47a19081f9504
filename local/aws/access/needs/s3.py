"""What S3's operations need, by method, path and the query's word.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote
from xml.sax.saxutils import unescape

from local.aws.access.needs.need import EVERYTHING, Need, UnknownOperationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.aws.access.calls import ApiCall

# A word in the query makes another operation of the same method and path.
_WORDS: Final = (
    "acl", "cors", "delete", "encryption", "lifecycle", "location", "notification", "object-lock", "policy",
    "publicAccessBlock", "restore", "retention", "tagging", "uploads", "versioning", "versions", "website",
)  # fmt: skip
_ON_A_BUCKET: Final[Mapping[tuple[str, str], str]] = {
    ("GET", ""): "ListBucket",
    ("HEAD", ""): "ListBucket",
    ("PUT", ""): "CreateBucket",
    ("DELETE", ""): "DeleteBucket",
    ("GET", "location"): "GetBucketLocation",
    ("GET", "uploads"): "ListBucketMultipartUploads",
    ("GET", "versions"): "ListBucketVersions",
}
_ON_AN_OBJECT: Final[Mapping[tuple[str, str], str]] = {
    ("GET", ""): "GetObject",
    ("HEAD", ""): "GetObject",
    ("PUT", ""): "PutObject",
    ("POST", ""): "PutObject",  # the end of an upload in parts
    ("POST", "uploads"): "PutObject",
    ("DELETE", ""): "DeleteObject",
    ("GET", "tagging"): "GetObjectTagging",
    ("PUT", "tagging"): "PutObjectTagging",
}
# Of an upload in parts the query tells the id, and of an object's version its own.
_OF_AN_UPLOAD: Final = {"GET": "ListMultipartUploadParts", "DELETE": "AbortMultipartUpload"}
_OF_A_VERSION: Final = {"GetObject": "GetObjectVersion", "DeleteObject": "DeleteObjectVersion"}
_KEY: Final = re.compile(rb"<Key>(.*?)</Key>", re.DOTALL)


def needs_of(call: ApiCall) -> list[Need]:
    """Return what the call needs; raises UnknownOperationError, which names method, path and word."""
    bucket, _, key = call.path.lstrip("/").partition("/")
    word = next((word for word in _WORDS if word in call.query), "")
    if not bucket and call.method == "GET":
        return [Need("s3:ListAllMyBuckets", EVERYTHING)]
    if (call.method, word) == ("POST", "delete"):
        keys = [unescape(each.decode("utf-8", "replace")) for each in _KEY.findall(call.body) or [b"*"]]
        return [Need("s3:DeleteObject", f"arn:aws:s3:::{bucket}/{each}") for each in keys]
    action = _object_action(call, word) if key else _ON_A_BUCKET.get((call.method, word))
    if not bucket or action is None:
        raise UnknownOperationError(f"s3:{call.method} {call.path}{'?' if word else ''}{word}")
    needs = [Need(f"s3:{action}", f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}")]
    if call.copy_source:
        source = unquote(call.copy_source).lstrip("/").partition("?")[0]
        needs.append(Need("s3:GetObject", f"arn:aws:s3:::{source}"))
    return needs


def _object_action(call: ApiCall, word: str) -> str | None:
    if "uploadId" in call.query and call.method in _OF_AN_UPLOAD:
        return _OF_AN_UPLOAD[call.method]
    action = _ON_AN_OBJECT.get((call.method, word))
    return _OF_A_VERSION.get(action or "", action) if "versionId" in call.query else action
