"""The settings of all processes: environment variables, and a `.env` file for those not set.

All invalid variables are reported at once, by name, and never with the value of a secret.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

import msgspec

from runtime import variables
from runtime.errors import CommandFailed
from runtime.mail import MailSettings, mail_from, mail_server
from runtime.variables import LogFormat, LogLevel, Network, Rate


class SettingsError(CommandFailed):
    """Some variables are invalid; the message names each of them with the reason."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings. A URL of None means that the service is not configured.

    `secret_keys`: the first one signs, all verify. When none is configured, it is empty after
    loading, and filled by `runtime.secret_key.with_secret_key` before a command runs. `log_level`
    None means debug with DEBUG, otherwise info.
    """

    database_url: str | None = None
    read_database_url: str | None = None
    redis_url: str | None = None
    data_dir: Path = Path(".data")
    secret_keys: tuple[str, ...] = ()
    debug: bool = False
    allowed_hosts: tuple[str, ...] = ("*",)
    app_host: str = "127.0.0.1"
    app_port: int = 8000
    log_format: LogFormat = "auto"
    log_level: LogLevel | None = None
    metrics_port: int | None = None
    metrics_token: str | None = None
    opentelemetry: Mapping[str, str] = {}
    notification_service_url: str | None = None
    notification_token: str = ""
    notification_service_owner_id: str = "events-face"
    mail: MailSettings | None = None
    """Messages go by mail, instead of to the notification service."""
    public_url: str | None = None
    """Where people reach this installation, without a slash at its end."""
    public_pages: bool = True
    embed_origins: tuple[str, ...] = ("*",)
    """Sites that may show the registration form of an event in a frame; `none`: no site."""
    events_provider_url: str | None = None
    events_provider_hosts: tuple[str, ...] = ()
    events_provider_timezone: str = "UTC"
    webhook_private_networks: bool = False
    """Whether webhooks may be sent to addresses that are not public."""
    write_policy: Literal["organizer", "anyone"] = "organizer"
    account_registration: Literal["open", "closed"] = "open"
    """Whether anybody may register an account."""
    rate_limits: bool = True
    rate_limit_default: Rate = Rate(6000, 60)
    rate_limit_key: Rate = Rate(6000, 60)
    """Of each API key."""
    rate_limit_login: Rate = Rate(10, 60)
    rate_limit_accounts: Rate = Rate(30, 60)
    rate_limit_register: Rate = Rate(600, 60)
    rate_limit_frames: Rate = Rate(3000, 60)
    """Of the cameras at one address, on phones that cannot read QR codes."""
    trusted_proxies: tuple[Network, ...] = ()
    cors_origins: tuple[str, ...] = ()
    cleanup_days: int = 7
    cleanup_schedule: str = "0 3 * * *"
    sync_schedule: str = "0 * * * *"
    retention_days: int | None = None
    """Visitors of events that ended so long ago are forgotten; None: they are kept."""
    retention_schedule: str = "45 3 * * *"
    token_cleanup_schedule: str = "30 3 * * *"  # noqa: S105 - a schedule

    @property
    def in_production(self) -> bool:
        return self.database_url is not None and not self.debug

    @property
    def event_pages(self) -> str | None:
        """The address under which each event has a page; None where none has."""
        return f"{self.public_url}/events" if self.public_url and self.public_pages else None

    @classmethod
    def load(
        cls, environ: Mapping[str, str] = os.environ, dotenv: Path | None = Path(".env")
    ) -> Self:
        """Read and check all variables; the environment takes precedence over the `.env` file.

        An empty variable counts as not set. Raises SettingsError. Writes nothing.
        """
        read = variables.VariableReader({**_dotenv_values(dotenv), **environ})
        default = cls()
        settings = cls(
            database_url=_database_url(read),
            read_database_url=read("READ_DATABASE_URL", variables.postgresql_url, None),
            redis_url=read("REDIS_URL", variables.redis_url, None),
            data_dir=read("DATA_DIR", variables.folder, default.data_dir.absolute()),
            secret_keys=read("SECRET_KEY", variables.comma_separated, ()),
            debug=read("DEBUG", variables.boolean, default.debug),
            allowed_hosts=read("ALLOWED_HOSTS", variables.comma_separated, default.allowed_hosts),
            app_host=read("APP_HOST", str, default.app_host),
            app_port=read("APP_PORT", variables.port, default.app_port),
            log_format=read("LOG_FORMAT", variables.log_format, default.log_format),
            log_level=read("LOG_LEVEL", variables.log_level, None),
            metrics_port=read("METRICS_PORT", variables.port, None),
            metrics_token=read("METRICS_TOKEN", variables.bearer_token, None),
            opentelemetry=_opentelemetry(read),
            notification_service_url=read("NOTIFICATION_SERVICE_URL", variables.http_url, None),
            notification_token=read(
                "NOTIFICATION_TOKEN", variables.bearer_token, default.notification_token
            ),
            notification_service_owner_id=read(
                "NOTIFICATION_SERVICE_OWNER_ID", str, default.notification_service_owner_id
            ),
            mail=_mail(read),
            public_url=read("PUBLIC_URL", variables.public_url, None),
            public_pages=read("PUBLIC_PAGES", variables.boolean, default.public_pages),
            embed_origins=read("EMBED_ORIGINS", variables.origins_or_none, default.embed_origins),
            events_provider_url=read("EVENTS_PROVIDER_URL", variables.http_url, None),
            events_provider_hosts=read("EVENTS_PROVIDER_HOSTS", variables.hosts, ()),
            events_provider_timezone=read(
                "EVENTS_PROVIDER_TIMEZONE", variables.timezone, default.events_provider_timezone
            ),
            webhook_private_networks=read(
                "WEBHOOK_PRIVATE_NETWORKS", variables.boolean, default.webhook_private_networks
            ),
            write_policy=read("WRITE_POLICY", variables.write_policy, default.write_policy),
            account_registration=read(
                "ACCOUNT_REGISTRATION",
                variables.account_registration,
                default.account_registration,
            ),
            rate_limits=read("RATE_LIMITS", variables.boolean, default.rate_limits),
            rate_limit_default=read(
                "RATE_LIMIT_DEFAULT", variables.rate, default.rate_limit_default
            ),
            rate_limit_key=read("RATE_LIMIT_KEY", variables.rate, default.rate_limit_key),
            rate_limit_login=read("RATE_LIMIT_LOGIN", variables.rate, default.rate_limit_login),
            rate_limit_accounts=read(
                "RATE_LIMIT_ACCOUNTS", variables.rate, default.rate_limit_accounts
            ),
            rate_limit_register=read(
                "RATE_LIMIT_REGISTER", variables.rate, default.rate_limit_register
            ),
            rate_limit_frames=read("RATE_LIMIT_FRAMES", variables.rate, default.rate_limit_frames),
            trusted_proxies=read("TRUSTED_PROXIES", variables.networks, ()),
            cors_origins=read("CORS_ORIGINS", variables.origins, ()),
            cleanup_days=read("CLEANUP_DAYS", variables.days, default.cleanup_days),
            cleanup_schedule=read("CLEANUP_SCHEDULE", variables.cron, default.cleanup_schedule),
            retention_days=read("RETENTION_DAYS", variables.days, None),
            retention_schedule=read(
                "RETENTION_SCHEDULE", variables.cron, default.retention_schedule
            ),
            sync_schedule=read("SYNC_SCHEDULE", variables.cron, default.sync_schedule),
            token_cleanup_schedule=read(
                "TOKEN_CLEANUP_SCHEDULE", variables.cron, default.token_cleanup_schedule
            ),
        )
        if settings.in_production and (reason := variables.weakness(settings.secret_keys)):
            read.errors["SECRET_KEY"] = reason
        if read.errors:
            listed = "; ".join(f"{name} {reason}" for name, reason in read.errors.items())
            raise SettingsError(f"bad settings: {listed}")
        return settings


def _dotenv_values(dotenv: Path | None) -> dict[str, str]:
    if dotenv is None or not dotenv.is_file():
        return {}
    from dotenv import dotenv_values

    try:
        found = dotenv_values(dotenv, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{dotenv} cannot be read: {error}") from error
    return {name: value for name, value in found.items() if value is not None}


def _opentelemetry(read: variables.VariableReader) -> dict[str, str]:
    """All OTEL_ variables, for the OpenTelemetry library (https://opentelemetry.io/docs/specs/otel)."""
    read("OTEL_EXPORTER_OTLP_ENDPOINT", variables.http_url, None)  # only checks it
    return read.with_prefix("OTEL_")


def _mail(read: variables.VariableReader) -> MailSettings | None:
    server = read("MAIL_URL", mail_server, None)
    sender = read("MAIL_FROM", mail_from, None)
    if read.has("MAIL_URL") and not read.has("MAIL_FROM"):
        read.errors["MAIL_FROM"] = "must be set with MAIL_URL: the address that mails come from"
    return MailSettings(server, sender) if server and sender else None


def _database_url(read: variables.VariableReader) -> str | None:
    """DATABASE_URL, or a URL composed of the POSTGRES_ variables if POSTGRES_HOST or POSTGRES_DB is
    set."""
    given = read("DATABASE_URL", variables.postgresql_url, None)
    host = read("POSTGRES_HOST", variables.host, "localhost")
    port = read("POSTGRES_PORT", variables.port, 5432)
    if given is not None or not (read.has("POSTGRES_HOST") or read.has("POSTGRES_DB")):
        return given
    return variables.composed_postgresql_url(
        user=read("POSTGRES_USER", str, "postgres"),
        password=read("POSTGRES_PASSWORD", str, ""),
        host=host,
        port=port,
        database=read("POSTGRES_DB", str, "events_face"),
    )
