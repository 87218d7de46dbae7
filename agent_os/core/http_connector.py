"""Opens connections: straight or through the proxy that the environment wants, and secured where it is https."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Optional

from .errors import PermanentError, TransientError
from .http_target import join_host, proxy_for
from .http_tls import distrust, trust
from .retry import CATCHES_UP, UnreachableError, should_retry

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from .http_target import Proxy, Target
    from .http_wire import Wire
    from .logger import Log, Redactor


class Connector:
    """Knows whom to trust and which proxies it has met; reads both from `environ`."""

    def __init__(self, *, environ: Mapping[str, str], log: Log, redactor: Redactor) -> None:
        self._environ = environ
        self._log = log
        self._redactor = redactor
        self._context: Optional[ssl.SSLContext] = None
        self._known_proxies: set[str] = set()

    def open(self, wire: Wire, target: Target) -> None:
        """Connect the wire to the target's host. Nothing of a request is sent."""
        proxy = proxy_for(target, self._environ)
        if proxy is None:
            wire.connect(target.host, target.port)
        else:
            self._pass(wire, target, proxy)
        if target.scheme == "https":
            self._secure(wire, target.host)

    def _secure(self, wire: Wire, host: str) -> None:
        context = self._context = self._context or trust(self._environ)
        import ssl  # after `trust`, which explains its absence

        try:
            wire.secure(context, host)
        except ssl.SSLCertVerificationError as error:
            raise distrust(error, host, context) from error

    def _pass(self, wire: Wire, target: Target, proxy: Proxy) -> None:
        """Have the proxy connect us. It sees the host's name and nothing of what is said to it."""
        shown = join_host(proxy.host, proxy.port)
        if shown not in self._known_proxies:
            self._known_proxies.add(shown)
            self._keep_secret(proxy)
            self._log.info("http.proxy", f"requests to {target.host} go through the proxy {shown}", proxy=shown)
        authorization = f"Basic {b64encode(proxy.login).decode('ascii')}" if proxy.login else ""
        try:
            wire.connect(proxy.host, proxy.port)
        except OSError as error:
            if wire.is_stopped:
                raise
            reason = error.strerror or "no answer in time"
            message = f"the proxy {shown}, through which {target.host} is asked, cannot be reached: {reason}"
            raise UnreachableError(message, hint=f"correct or unset https_proxy; {CATCHES_UP}") from error
        status = wire.tunnel(join_host(target.host, target.port), authorization)
        if status != 200:
            message = f"the proxy {shown} does not connect to {target.host}: it answered {status}"
            hint = "it wants a login: https_proxy=http://user:password@host:port" if status == 407 else "ask its keeper"
            kind = TransientError if should_retry(status, {}) else PermanentError
            raise kind(message, hint=hint)

    def _keep_secret(self, proxy: Proxy) -> None:
        for secret in (proxy.login, proxy.login.partition(b":")[2]):
            if secret:
                self._redactor.add(secret.decode("utf-8", "replace"))
