"""Expand a SAM template into plain CloudFormation, in this process, without network or credentials."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from local.template.document import read_document
from local.template.errors import TemplateError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# The translator wants code to be in S3, as `sam package` leaves it. Nothing fetches it from there.
_PACKAGED = "s3://packaged-by-sam/code"
_CODE = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}


def translate(path: Path, parameters: Mapping[str, str] | None = None, *, region: str = "us-east-1") -> dict[str, Any]:
    """Return the CloudFormation template that the SAM template at `path` stands for.

    State machines' definition files are read from beside the template and stand inline in the result. A template
    without the Serverless transform comes back as it is.

    Raises:
        TemplateError: a file cannot be read, or the translator refuses the template.
    """
    document = read_document(path)
    if not document.get("Transform"):
        return document
    _inline_code_and_definitions(document, path.parent)
    return _translated(document, dict(parameters or {}), region)


def _translated(document: dict[str, Any], parameters: dict[str, str], region: str) -> dict[str, Any]:
    from boto3 import Session  # noqa: PLC0415 (with the translator's import 450 ms that only this call needs)
    from samtranslator.model.exceptions import InvalidDocumentException  # noqa: PLC0415 (as above)
    from samtranslator.parser.parser import Parser  # noqa: PLC0415 (as above)
    from samtranslator.translator.translator import Translator  # noqa: PLC0415 (as above)
    from samtranslator.utils.py27hash_fix import (  # noqa: PLC0415 (as above)
        to_py27_compatible_template,
        undo_mark_unicode_str_in_template,
    )

    # What samtranslator.transform does, with a session of a given region: its own takes the region of the environment.
    to_py27_compatible_template(document, parameters)
    # The names of AWS's managed policies that the package brings are all that it knows; IAM is not asked for others.
    translator = Translator(None, Parser(), boto_session=Session(region_name=region))
    try:
        translated = translator.translate(document, parameter_values=parameters, get_managed_policy_map=dict)
    except InvalidDocumentException as error:
        causes = "; ".join(cause.message for cause in error.causes)
        raise TemplateError(f"the SAM translator refuses the template: {causes}") from None
    # Its strings are a subclass of str: JSON makes them plain, so that comparing and printing them is as usual.
    plain: dict[str, Any] = json.loads(json.dumps(undo_mark_unicode_str_in_template(translated)))
    return plain


def _inline_code_and_definitions(document: dict[str, Any], root: Path) -> None:
    for logical_id, resource in document.get("Resources", {}).items():
        kind, properties = resource.get("Type"), resource.get("Properties", {})
        if kind in _CODE and "InlineCode" not in properties:
            properties[_CODE[kind]] = _PACKAGED
        if kind == "AWS::Serverless::StateMachine" and isinstance(properties.get("DefinitionUri"), str):
            uri = properties.pop("DefinitionUri")
            if uri.startswith("s3://"):
                raise TemplateError(f"{logical_id}: DefinitionUri {uri} is not a file beside the template")
            properties["Definition"] = read_document(root / uri)
    function_globals = document.get("Globals", {}).get("Function", {})
    function_globals.pop("CodeUri", None)
