from ipaddress import ip_network
from pathlib import Path

import pytest

from runtime.secret_key import with_secret_key
from runtime.settings import Settings, SettingsError
from runtime.variables import Rate

STRONG = "kV3n8Qx0pTz7Lw5sYb2cRf6hJd9gMa1e"


def load(**environ: str) -> Settings:
    return Settings.load(environ, dotenv=None)


def test_every_bad_variable_is_named_in_one_message() -> None:
    bad = {
        "DATABASE_URL": "mysql://db/x",
        "READ_DATABASE_URL": "postgresql://",
        "REDIS_URL": "redis://",
        "POSTGRES_PORT": "0",
        "DATA_DIR": __file__,
        "DEBUG": "maybe",
        "APP_PORT": "65536",
        "METRICS_PORT": "many",
        "LOG_FORMAT": "xml",
        "LOG_LEVEL": "loud",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "localhost:4318",
        "NOTIFICATION_SERVICE_URL": "ftp://host/",
        "NOTIFICATION_TOKEN": "two words",
        "PUBLIC_URL": "https://host/?page=1",
        "EVENTS_PROVIDER_URL": "host/path",
        "EVENTS_PROVIDER_HOSTS": "https://other.example",
        "EVENTS_PROVIDER_TIMEZONE": "Europe",
        "WRITE_POLICY": "nobody",
        "ACCOUNT_REGISTRATION": "maybe",
        "RATE_LIMITS": "some",
        "RATE_LIMIT_LOGIN": "10/fortnight",
        "RATE_LIMIT_REGISTER": "0/minute",
        "TRUSTED_PROXIES": "10.0.0.0/8, proxy",
        "CORS_ORIGINS": "https://a.example/path",
        "CLEANUP_DAYS": "-1",
        "CLEANUP_SCHEDULE": "60 * * * *",
        "SYNC_SCHEDULE": "* * * *",
        "TOKEN_CLEANUP_SCHEDULE": "0 3 * * 8",
    }
    with pytest.raises(SettingsError) as failure:
        load(**bad)
    for name in bad:
        assert f"{name} " in str(failure.value)


def test_a_message_never_repeats_a_secret() -> None:
    with pytest.raises(SettingsError) as failure:
        load(DATABASE_URL="mysql://user:hunter2@db/x", SECRET_KEY="hunter3", POSTGRES_HOST="db")
    assert "hunter" not in str(failure.value)


@pytest.mark.parametrize(
    "key", ["", "short", "django-insecure-" + STRONG, f"{STRONG},short", "changeme" * 8, "a" * 40]
)
def test_production_refuses_a_missing_or_weak_secret_key(key: str) -> None:
    with pytest.raises(SettingsError, match="SECRET_KEY"):
        load(DATABASE_URL="postgresql://db/x", SECRET_KEY=key)


def test_development_takes_any_secret_key() -> None:
    assert load(SECRET_KEY="short").secret_keys == ("short",)
    assert load(DATABASE_URL="postgresql://db/x", DEBUG="true").secret_keys == ()


def test_of_several_secret_keys_the_first_one_stays_first() -> None:
    settings = load(DATABASE_URL="postgresql://db/x", SECRET_KEY=f"{STRONG}, {STRONG[::-1]}")
    assert settings.secret_keys == (STRONG, STRONG[::-1])


def test_a_database_can_be_given_in_parts() -> None:
    settings = load(
        POSTGRES_HOST="db", POSTGRES_USER="me", POSTGRES_PASSWORD="p@ss/word", SECRET_KEY=STRONG
    )
    assert settings.database_url == "postgresql://me:p%40ss%2Fword@db:5432/events_face"


def test_a_database_may_be_on_one_of_several_hosts() -> None:
    url = "postgresql://me:p%2Cw@h1:5432,[::1]:5433,h3/db?target_session_attrs=read-write"
    assert load(DATABASE_URL=url, SECRET_KEY=STRONG).database_url == url
    for bad in ("postgresql://h1,/db", "postgresql://h1:5432,h2:x/db", "postgresql://h1,h2"):
        with pytest.raises(SettingsError, match="DATABASE_URL"):
            load(DATABASE_URL=bad, SECRET_KEY=STRONG)


def test_a_user_and_a_password_alone_do_not_name_a_database() -> None:
    assert load(POSTGRES_USER="me", POSTGRES_PASSWORD="x").database_url is None


def test_an_empty_variable_counts_as_not_set() -> None:
    assert load(APP_PORT="", REDIS_URL=" ") == load()


def test_the_environment_wins_over_the_dotenv_file(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("APP_PORT=1111\nAPP_HOST='::1'\nNOTIFICATION_TOKEN=a${b}$c # not part\n")
    settings = Settings.load({"APP_PORT": "2222"}, dotenv)
    assert (settings.app_port, settings.app_host) == (2222, "::1")
    assert settings.notification_token == "a${b}$c"


@pytest.mark.parametrize(
    "schedule", ["*/15 0-6,12 * 1 mon-fri", "@daily", "0 3 * * 7", "0 9 1 * 0-6"]
)
def test_cron_expressions_are_accepted_unchanged(schedule: str) -> None:
    assert load(SYNC_SCHEDULE=schedule).sync_schedule == schedule


@pytest.mark.parametrize(
    "schedule",
    [
        "*/0 * * * *",
        "5-1 * * * *",
        "0 24 * * *",
        "a b c d e",
        "0 0 30 2 *",
        "0 0 0 3 * *",
        "@never",
    ],
)
def test_a_cron_expression_that_never_fits_is_refused(schedule: str) -> None:
    with pytest.raises(SettingsError, match="SYNC_SCHEDULE must be a cron expression"):
        load(SYNC_SCHEDULE=schedule)


def test_reading_settings_creates_nothing(tmp_path: Path) -> None:
    load(DATA_DIR=str(tmp_path / "data"))
    assert not (tmp_path / "data").exists()


def test_a_generated_secret_key_is_private_and_stays_the_same(tmp_path: Path) -> None:
    settings = load(DATA_DIR=str(tmp_path / "data"))
    first = with_secret_key(settings).secret_keys
    assert first == with_secret_key(settings).secret_keys
    assert len(first[0]) >= 32
    assert (tmp_path / "data" / "secret_key").stat().st_mode & 0o777 == 0o600


def test_a_configured_secret_key_is_left_alone(tmp_path: Path) -> None:
    settings = load(DATA_DIR=str(tmp_path / "data"), SECRET_KEY="mine")
    assert with_secret_key(settings).secret_keys == ("mine",)
    assert not (tmp_path / "data").exists()


def test_a_rate_is_a_number_of_calls_in_a_period() -> None:
    settings = load(RATE_LIMIT_LOGIN="5/second", RATE_LIMIT_ACCOUNTS="100 / day")
    assert settings.rate_limit_login == Rate(calls=5, seconds=1)
    assert settings.rate_limit_accounts == Rate(calls=100, seconds=86_400)


def test_trusted_proxies_are_addresses_or_networks() -> None:
    assert load(TRUSTED_PROXIES="10.1.2.3/8,::1").trusted_proxies == (
        ip_network("10.0.0.0/8"),
        ip_network("::1/128"),
    )
