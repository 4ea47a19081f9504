"""Say where the database is and how to log in: from the secret that RDS keeps, with its password or IAM, or a URL."""

from __future__ import annotations

from functools import cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from sqlalchemy import make_url

from shared.database.iam_token import forget_role, iam_token
from shared.settings import environment

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.parameters import SecretsProvider

# A warm Lambda asks Secrets Manager this often; a rotation is noticed by then at the latest.
SECRET_MAX_AGE_SECONDS = 300


class DatabaseSettings(BaseModel):
    """What functions that touch the database are told besides `shared.settings.Settings`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    database_secret_arn: str = Field(min_length=1)
    # `<resource id>/<user>` as in the ARN that `rds-db:connect` is allowed on: that user logs in with IAM, and the
    # secret only says where. Empty: the secret's user logs in with its password.
    database_iam_login: str = ""


class CredentialsError(Exception):
    """The secret or the URL does not say where the database is; the message never repeats its value."""


class Credentials(BaseModel):
    """One database and its login, with the names that RDS gives them in a secret."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    username: str
    password: SecretStr
    host: str
    port: int = 5432
    dbname: str
    # A token stands for the role itself, so it goes through TLS also where a password need not.
    with_token: bool = Field(default=False, exclude=True)

    @classmethod
    def from_secret(cls, value: object) -> Self:
        """Return what the secret's JSON says.

        Raises:
            CredentialsError: a name is missing or of the wrong type; only names are told.
        """
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            names = ", ".join(str(each["loc"][0]) if each["loc"] else "JSON" for each in error.errors())
            raise CredentialsError(f"the database secret lacks a usable: {names}") from None

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return what a `postgresql://user:password@host:port/database` URL says.

        Raises:
            CredentialsError: it is no such URL.
        """
        try:
            parts = make_url(url)
        except Exception:  # noqa: BLE001 (SQLAlchemy repeats the URL, and with it the password, in what it raises)
            raise CredentialsError("the database URL cannot be parsed") from None
        if parts.get_backend_name() not in {"postgresql", "postgres"} or not parts.host:
            raise CredentialsError("the database URL is not postgresql://user:password@host:port/database")
        username = parts.username or "postgres"
        return cls(
            username=username,
            password=SecretStr(str(parts.password or "")),
            host=parts.host,
            port=parts.port or 5432,
            dbname=parts.database or username,
        )

    @property
    def url(self) -> str:
        """The same as a URL, password included: for psql and DATABASE_URL, never for a log."""
        login = f"{quote(self.username, safe='')}:{quote(self.password.get_secret_value(), safe='')}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"postgresql://{login}@{host}:{self.port}/{quote(self.dbname, safe='')}"

    @property
    def secret(self) -> dict[str, str | int]:
        """The same as the JSON object that RDS writes into Secrets Manager, password included."""
        return {
            "engine": "postgres",
            **self.model_dump(exclude={"password"}),
            "password": self.password.get_secret_value(),
        }

    @property
    def needs_tls(self) -> bool:
        """Whether the login must be encrypted: always but for a password to a server on this machine."""
        return self.with_token or not self.is_loopback

    @property
    def is_loopback(self) -> bool:
        """Whether the server is on this machine, where there is no wire to encrypt."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        """Name the database without the password."""
        return f"{self.host}:{self.port}/{self.dbname}"


def stored_credentials(*, fresh: bool = False) -> Credentials:
    """Return what the secret `DATABASE_SECRET_ARN` holds, at most five minutes old, or, if `fresh`, as it is now.

    Raises:
        CredentialsError: the secret does not say where the database is.
        GetParameterError: Secrets Manager could not be asked; trying again may help.
    """
    settings = environment(DatabaseSettings)
    secret = _secrets().get(
        settings.database_secret_arn, max_age=SECRET_MAX_AGE_SECONDS, transform="json", force_fetch=fresh
    )
    if not settings.database_iam_login:
        return Credentials.from_secret(secret)
    return _with_token(secret, settings.database_iam_login.rpartition("/")[2])


def _with_token(secret: object, username: str) -> Credentials:
    login = {"username": username, "password": ""}
    place = Credentials.from_secret(secret | login if isinstance(secret, dict) else secret)
    token = iam_token(place.host, place.port, username)
    return place.model_copy(update={"password": SecretStr(token), "with_token": True})


@cache
def _secrets() -> SecretsProvider:
    # Powertools and boto3 cost 300 ms of a cold start, which a process with `configure()` should not pay.
    from aws_lambda_powertools.utilities.parameters import SecretsProvider  # noqa: PLC0415

    from shared.aws import client  # noqa: PLC0415

    return SecretsProvider(boto3_client=client("secretsmanager"))


def forget_secrets() -> None:
    """Ask Secrets Manager anew, with a new client: for a process whose environment changes, as a test's does."""
    _secrets.cache_clear()
    forget_role()
