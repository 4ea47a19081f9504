from __future__ import annotations

import pytest

import shared.database
import shared.engine
from shared.late_imports import names_of


@pytest.mark.parametrize("package", [shared.database, shared.engine])
def test_a_package_has_every_name_that_it_lists(package: object) -> None:
    listed = package.__all__  # type: ignore[attr-defined]  # both packages have it

    assert [name for name in listed if not hasattr(package, name)] == []


def test_a_module_that_has_its_own_name_is_given_itself() -> None:
    find = names_of("shared.database", {"tables": ("tables",)})

    assert find("tables").__name__ == "shared.database.tables"


def test_a_name_that_nobody_has_is_an_error_of_its_package() -> None:
    with pytest.raises(AttributeError, match=r"module 'shared\.engine' has no attribute 'Tsak'"):
        getattr(shared.engine, "Tsak")  # noqa: B009 (the type checker knows that it is not there)
