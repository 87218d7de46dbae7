"""Whom to believe over TLS, and why a certificate was not believed. Verification cannot be switched off."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .errors import AgentOSError, ConfigError, PermanentError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping


_NO_AUTHORITIES = (
    'on macOS run "Install Certificates.command" in the folder of this Python; elsewhere install ca-certificates, or'
    " let SSL_CERT_FILE name a file of them"
)


def trust(environ: Mapping[str, str]) -> ssl.SSLContext:
    """How certificates are verified, always: by the system's authorities, or those that SSL_CERT_FILE names."""
    try:
        import ssl
    except ImportError as error:
        raise ConfigError("this Python was built without TLS", hint="use another Python, 3.9 or newer") from error
    named = environ.get("SSL_CERT_FILE")
    try:
        context = ssl.create_default_context(cafile=named, capath=environ.get("SSL_CERT_DIR") if named else None)
    except OSError as error:
        if not named:
            raise
        message = f"SSL_CERT_FILE names {named}, which cannot be read as certificates"
        raise ConfigError(message, hint="correct or unset SSL_CERT_FILE") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def authorities(environ: Mapping[str, str]) -> str:
    """Where the authorities lie that certificates are checked with. ConfigError where there are none. No socket."""
    context = trust(environ)
    if _has_no_authorities(context):
        raise ConfigError("this Python has no certificate authorities: nobody can be believed", hint=_NO_AUTHORITIES)
    import ssl

    default = ssl.get_default_verify_paths()
    return environ.get("SSL_CERT_FILE") or default.cafile or default.capath or "the store of this system"


def tls_reason(error: OSError) -> str:
    """What TLS calls a failure of its own, '' when it is none. (Its `errno` counts differently from the system's.)"""
    try:
        import ssl
    except ImportError:
        return ""
    return (error.reason or "the connection ended") if isinstance(error, ssl.SSLError) else ""


def distrust(error: ssl.SSLCertVerificationError, host: str, context: ssl.SSLContext) -> AgentOSError:
    """Why a certificate was not believed: nothing here to check it with, or it is wrong."""
    if _has_no_authorities(context):
        return ConfigError(
            f"the certificate of {host} cannot be checked: this Python has no certificate authorities",
            hint=_NO_AUTHORITIES,
        )
    return PermanentError(
        f"the certificate of {host} cannot be trusted: {error.verify_message}; nothing was sent",
        hint="is a sign-in page in between, or is the clock wrong? For an inspecting proxy, let SSL_CERT_FILE name its"
        " authority",
    )


def _has_no_authorities(context: ssl.SSLContext) -> bool:
    """Nothing loaded, and no folder from which more would be loaded when needed."""
    import ssl

    if context.cert_store_stats()["x509_ca"]:
        return False
    folder = ssl.get_default_verify_paths().capath
    return folder is None or not any(Path(folder).iterdir())
