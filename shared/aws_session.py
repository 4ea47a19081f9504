"""A botocore session that makes its first client in half of the usual time.

Most of that time goes into looking through the folders of all 400 services, twice, and into an `OrderedDict` for each
object of 2 MB of JSON. A service is found where its folder is, and plain dictionaries keep their order too. To be
imported where the first client is made: it imports botocore.
"""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

from botocore.credentials import CredentialResolver, EnvProvider
from botocore.loaders import JSONFileLoader, Loader
from botocore.session import Session
from pydantic_core import from_json


def make_session() -> Session:
    """Return a session that takes region, endpoint, credentials and data path from the environment, as any does."""
    session = Session()
    places = list(session.get_component("data_loader").search_paths)
    data = ServiceData(places, file_loader=JsonFiles(), include_default_search_paths=False)
    session.register_component("data_loader", data)
    if "AWS_ACCESS_KEY_ID" in os.environ:  # as in Lambda: the whole chain makes TLS contexts for places never asked
        session.register_component("credential_provider", CredentialResolver([EnvProvider()]))
    return session


class JsonFiles(JSONFileLoader):
    """Reads botocore's JSON, compressed or not; paths are told without the ending."""

    def exists(self, file_path: str) -> bool:
        """Return whether there is such a file."""
        return Path(f"{file_path}.json").is_file() or Path(f"{file_path}.json.gz").is_file()

    def load_file(self, file_path: str) -> Any:
        """Return what the file holds, None where there is none."""
        for ending, uncompress in ((".json", bytes), (".json.gz", gzip.decompress)):
            try:
                content = Path(file_path + ending).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                continue
            return from_json(uncompress(content), cache_strings="keys")
        return None


class ServiceData(Loader):
    """Finds a service by its folder instead of by a look into the folders of all services."""

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 (a folder without it is told later)
        """Return the names of all that may be a service's folder."""
        places = (place for place in self.search_paths if Path(place).is_dir())
        return [name for place in places for name in os.listdir(place)]  # noqa: PTH208 (names are all that is wanted)
