"""SAM's own command line takes the template and builds it, without Docker."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conventions.house import ROOT, house

# `sam build` packs the wheels of the layer: on a slow line the first time takes minutes
pytestmark = [pytest.mark.xdist_group("sam"), pytest.mark.timeout(600)]


@pytest.fixture
def sam() -> str:
    own = ROOT / ".venv-sam" / "bin" / "sam"
    found = str(own) if own.is_file() else shutil.which("sam")
    if not found:
        pytest.skip("no sam command: `make sam` installs it into .venv-sam")
    return found


def run(*command: str) -> str:
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1", "PATH": tools}

    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def test_the_template_is_valid(sam: str) -> None:
    assert "is a valid SAM Template" in run(sam, "validate", "--lint")


def test_the_template_builds(sam: str, tmp_path: Path) -> None:
    run(sam, "build", "--build-dir", str(tmp_path), "--cache-dir", str(tmp_path / "cache"))

    for function in house().functions:
        built = tmp_path / function.resource.logical_id
        assert (built / function.source.relative_to(ROOT)).is_file()
        assert (built / "shared" / "registry.json").is_file()
        assert not list(built.rglob("__pycache__"))
        assert not (built / "local").exists()
    libraries = list((tmp_path / "DependenciesLayer" / "python").rglob("_pydantic_core*.so"))
    assert [library.name for library in libraries] == ["_pydantic_core.cpython-313-aarch64-linux-gnu.so"]


def test_each_environment_of_samconfig_is_complete() -> None:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    environments = {name: sections for name, sections in config.items() if isinstance(sections, dict)}

    settings = {
        name: {(command, key) for command, each in sections.items() for key in each["parameters"]}
        for name, sections in environments.items()
    }

    assert settings.keys() == {"default", "prod"}
    assert settings["default"] == settings["prod"]
