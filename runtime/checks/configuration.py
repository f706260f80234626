"""Checks of settings that are valid, but a risk on a public system. Invalid settings stop every
command (`runtime.settings`)."""

from __future__ import annotations

from urllib.parse import urlsplit

from runtime.checks.addresses import is_database_local, is_loopback, is_private
from runtime.checks.finding import Finding, ok, warning
from runtime.settings import Settings


def debug(settings: Settings) -> Finding:
    if not settings.debug:
        return ok("debug", "DEBUG is off")
    if settings.database_url is not None and not is_database_local(settings.database_url):
        where = "the database is on another host"
    elif not is_loopback(settings.app_host):
        where = f"APP_HOST={settings.app_host} is open to others"
    else:
        return ok("debug", "DEBUG is on, on this machine only")
    return warning(
        "debug",
        f"DEBUG is on, and {where}: weak keys are accepted, and the log contains personal data",
        "set DEBUG=false",
    )


def allowed_hosts(settings: Settings) -> Finding:
    if settings.in_production and "*" in settings.allowed_hosts:
        return warning(
            "allowed hosts",
            "ALLOWED_HOSTS=*: requests with any Host header are answered",
            "set ALLOWED_HOSTS to the host names that clients use",
        )
    return ok("allowed hosts", ", ".join(settings.allowed_hosts))


def trusted_proxies(settings: Settings) -> Finding:
    if any(network.prefixlen == 0 for network in settings.trusted_proxies):
        return warning(
            "trusted proxies",
            "TRUSTED_PROXIES includes every address: a client can pretend any address, so rate"
            " limits do not work",
            "set TRUSTED_PROXIES to the proxies before the API only",
        )
    return ok("trusted proxies", ", ".join(map(str, settings.trusted_proxies)) or "none")


def rate_limits(settings: Settings) -> Finding:
    if settings.in_production and not settings.rate_limits:
        return warning(
            "rate limits",
            "RATE_LIMITS=off: an attacker can guess passwords without a limit",
            "set RATE_LIMITS=on, unless a proxy limits calls",
        )
    return ok("rate limits", "on" if settings.rate_limits else "off")


def metrics_token(settings: Settings) -> Finding:
    if settings.in_production and settings.metrics_token is None:
        return warning(
            "metrics",
            "all clients of the API can read its metrics, including the number of registrations",
            "set METRICS_TOKEN, or let the proxy before the API refuse /metrics",
        )
    return ok("metrics", "with a token" if settings.metrics_token else "without a token")


def write_policy(settings: Settings) -> Finding:
    if settings.write_policy == "anyone":
        return warning(
            "write policy",
            "WRITE_POLICY=anyone: all clients may create, change and delete areas and events",
            "set WRITE_POLICY=organizer if other people can reach the API",
        )
    return ok("write policy", "only organizers change areas and events")


def notification_service(settings: Settings) -> Finding:
    if settings.mail is not None:
        return ok("mail", f"messages go by {settings.mail.server.address}")
    if settings.notification_service_url is None and settings.database_url is not None:
        return warning(
            "notification service",
            "NOTIFICATION_SERVICE_URL and MAIL_URL are not set: notifications wait in the outbox",
            "set NOTIFICATION_SERVICE_URL and NOTIFICATION_TOKEN, or MAIL_URL and MAIL_FROM",
        )
    if settings.notification_service_url is None:
        return ok("notification service", "the local sink, while `events-face up` runs")
    return ok("notification service", f"at {urlsplit(settings.notification_service_url).hostname}")


def mail_encryption(settings: Settings) -> Finding:
    if settings.mail is None:
        return ok("mail encryption", "no mails are sent")
    server = settings.mail.server
    if server.encryption in ("offered", "off") and not is_private(server.host):
        return warning(
            "mail encryption",
            f"mails may go to {server.host} without encryption",
            "use smtps:// in MAIL_URL, or ?starttls=required",
        )
    return ok("mail encryption", "mails are encrypted, or stay in a private network")


def notification_token(settings: Settings) -> Finding:
    parts = urlsplit(settings.notification_service_url or "")
    if parts.scheme == "http" and not is_private(parts.hostname or ""):
        return warning(
            "notification token",
            f"emails and NOTIFICATION_TOKEN go to {parts.hostname} without encryption",
            "use https:// in NOTIFICATION_SERVICE_URL",
        )
    if settings.notification_service_url and not settings.notification_token:
        return ok("notification token", "no token is sent")
    return ok("notification token", "sent with encryption, or in a private network only")
