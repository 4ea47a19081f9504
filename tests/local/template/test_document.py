"""Reading templates."""

from pathlib import Path

import pytest

from local.template.document import read_document
from local.template.errors import TemplateError


def written(folder: Path, text: str) -> Path:
    path = folder / "template.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_reads_short_intrinsics_as_long_ones(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        A: !Ref Queue
        B: !GetAtt Queue.Arn
        C: !If [IsProd, !Sub '${X}-1', {D: !Ref 'AWS::NoValue'}]
        E: !Condition IsProd
        """,
    )

    document = read_document(path)

    assert document == {
        "A": {"Ref": "Queue"},
        "B": {"Fn::GetAtt": ["Queue", "Arn"]},
        "C": {"Fn::If": ["IsProd", {"Fn::Sub": "${X}-1"}, {"D": {"Ref": "AWS::NoValue"}}]},
        "E": {"Condition": "IsProd"},
    }


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: [", "not YAML"),
        ("- a", "not a mapping"),
        ("a: !!python/object:os.system {}", "not YAML"),
    ],
)
def test_says_on_one_line_what_is_wrong_with_a_file(tmp_path: Path, text: str, complaint: str) -> None:
    path = written(tmp_path, text)

    with pytest.raises(TemplateError, match=complaint) as raised:
        read_document(path)

    assert "\n" not in str(raised.value)


def test_says_which_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"absent\.yaml: No such file"):
        read_document(tmp_path / "absent.yaml")
