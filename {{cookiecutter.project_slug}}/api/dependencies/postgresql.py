"""URLs of PostgreSQL with the parameters of libpq, and what these mean to the driver."""

import re
import ssl
from math import inf

from sqlalchemy import URL, make_url

HOSTS = re.compile(r"(?<=://)((?:[^/]*@)?)([^/?@]+,[^/?@]+)(?=[/?]|$)")
"""User and hosts of a URL with several hosts, which SQLAlchemy takes as parameters."""

VERIFIED = ("verify-ca", "verify-full")
ENCRYPTED = ("require", *VERIFIED)
CHOICES = {
    "channel_binding": ("disable", "prefer", "require"),
    "client_encoding": ("auto", "utf8", "UTF8"),
    "gssencmode": ("disable", "prefer"),
    "pgbouncer": ("true", "false"),
    "schema": ("public",),
    "sslmode": ("disable", "allow", "prefer", *ENCRYPTED),
    "sslnegotiation": ("postgres", "direct"),
    "target_session_attrs": ("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
}
FILES = ("sslrootcert", "sslcert", "sslkey")
PARAMETERS = {*CHOICES, *FILES, "application_name", "connect_timeout", "host", "options", "passfile", "port"}
"""Those of libpq, https://www.postgresql.org/docs/current/libpq-connect.html, and two that Prisma's users have."""


def split_hosts(value: str | URL) -> str | URL:
    """Return a URL with several hosts as SQLAlchemy expects it; any other is returned as it is."""
    several = HOSTS.search(value) if isinstance(value, str) else None
    if not several:
        return value
    hosts = [host if re.search(r":\d+$", host) else f"{host}:5432" for host in several[2].split(",")]
    return make_url(HOSTS.sub(r"\1", several.string)).update_query_dict({"host": hosts})


def uses_pgbouncer(url: URL | None) -> bool:
    """Whether the URL has `pgbouncer=true`: each transaction may run on another connection to the server."""
    return url is not None and url.query.get("pgbouncer") == "true"


def connect_arguments(url: URL, timeout: float = inf) -> dict[str, object]:
    """Return the parameters of a URL of PostgreSQL as asyncpg's arguments, except its hosts, with a limit for connecting.

    Raises:
        ValueError: naming the parameter that is not supported, or has a wrong value.
    """
    query = {name: value if isinstance(value, str) else value[-1] for name, value in url.query.items()}
    for name, value in query.items():
        if name not in PARAMETERS:
            message = f"the parameter {name} is not supported"
            raise ValueError(message)
        if name == "host" and "," in value and "port" not in query:
            message = "several hosts are written as postgresql://USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE"
            raise ValueError(message)
        if value not in CHOICES.get(name, (value,)):
            message = f"{name} must be one of {', '.join(CHOICES[name])}"
            hint = "; options=-csearch_path%3DNAME sets another" if name == "schema" else ""
            raise ValueError(message + hint)
    arguments: dict[str, object] = {name: query[name] for name in ("passfile", "target_session_attrs") if name in query}
    arguments["server_settings"] = {name: query[name] for name in ("application_name", "options") if name in query}
    arguments["ssl"] = create_ssl_context(query)
    arguments["direct_tls"] = query.get("sslnegotiation") == "direct"
    if not re.fullmatch("[0-9]*", seconds := query.get("connect_timeout", "")):
        message = "connect_timeout must be a number of seconds"
        raise ValueError(message)
    arguments["timeout"] = min(timeout, float(seconds or 0) or inf)
    if uses_pgbouncer(url):  # a prepared statement without a name lasts for one transaction
        arguments |= {
            "statement_cache_size": 0,
            "prepared_statement_cache_size": 0,
            "prepared_statement_name_func": str,
        }
    return arguments


def create_ssl_context(query: dict[str, str]) -> ssl.SSLContext | str | None:
    """Return the context for an encrypted connection, or the mode of one that need not be encrypted, if it is given.

    The driver has no channel binding. Where it is required, the server's certificate is verified instead. Without
    `sslrootcert`, the authorities are those of the system.

    Raises:
        ValueError: naming a parameter whose file can't be read, or that needs a stricter `sslmode`.
    """
    mode, root = query.get("sslmode"), query.get("sslrootcert")
    if query.get("channel_binding") == "require" or root == "system":
        mode = "verify-full"
    if mode not in ENCRYPTED:
        for name in (*FILES, "sslnegotiation"):
            if query.get(name, "postgres") != "postgres":
                message = f"{name} needs sslmode={', '.join(ENCRYPTED)}"
                raise ValueError(message)
        return mode
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["postgresql"])
    context.check_hostname = mode == "verify-full"
    if mode not in VERIFIED and not root:
        context.verify_mode = ssl.CERT_NONE
    name = "sslrootcert"
    try:
        if root in {None, "system"}:
            context.load_default_certs()
        else:
            context.load_verify_locations(root)
        name = "sslcert or sslkey"
        if "sslcert" in query or "sslkey" in query:
            context.load_cert_chain(query["sslcert"], query.get("sslkey"), password="")
    except (OSError, KeyError, ValueError):
        message = f"{name} must be the path of a readable PEM file"
        raise ValueError(message) from None
    return context
