"""Mail by SMTP. A password goes only over TLS; a mail that is sent twice is the same one by its Message-ID."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from agent_os import PermanentError, TransientError

from ..wording import as_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent_os import Context, Message, TaskError

SECONDS = 30
SSL_PORT, USUAL_PORT = 465, 587


def send(ctx: Context, message: Message) -> Any:
    """One mail to everybody; the receipt says who was refused."""
    mail = content(message.body, sender=ctx.setting("SMTP_FROM"), to=ctx.setting("SMTP_TO"))
    try:
        with _connected(ctx) as server:
            refused = server.send_message(mail)
    except (OSError, ValueError) as error:  # smtplib's errors are OSErrors; ValueError: an address that is none
        raise failure_of(error) from error
    return {"refused": sorted(refused)} if refused else None


def content(body: Mapping[str, Any], *, sender: str, to: str) -> EmailMessage:
    """The mail; one about a restated figure answers the mail that told it."""
    mail = EmailMessage()
    mail["From"], mail["To"] = sender, to
    mail["Subject"] = " ".join(body["title"].split())
    mail["Message-ID"] = id_of(body["id"])
    if body["edits"]:
        mail["In-Reply-To"] = id_of(body["edits"])
    mail.set_content(as_text(body))
    return mail


def id_of(key: str) -> str:
    """The Message-ID of an alert."""
    return f"<{sha256(key.encode()).hexdigest()}@agent-os.invalid>"


def _connected(ctx: Context) -> smtplib.SMTP:
    """A server that may be handed the mail: with TLS wherever it has it, logged in where that is asked for."""
    host, port = ctx.setting("SMTP_HOST"), int(ctx.setting("SMTP_PORT") or USUAL_PORT)
    user = ctx.setting("SMTP_USER")
    if port == SSL_PORT:
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=SECONDS, context=ssl.create_default_context())
    else:
        server = smtplib.SMTP(host, port, timeout=SECONDS)
    try:
        server.ehlo_or_helo_if_needed()
        if port != SSL_PORT:
            _secure(server, host, is_needed=bool(user))
        if user:
            server.login(user, ctx.setting("SMTP_PASSWORD"))
    except BaseException:
        server.close()
        raise
    return server


def _secure(server: smtplib.SMTP, host: str, *, is_needed: bool) -> None:
    """TLS from here on, where the server has it."""
    if server.has_extn("starttls"):
        server.starttls(context=ssl.create_default_context())
    elif is_needed:
        raise PermanentError(f"{host} has no TLS, and a password goes over nothing else", hint="try SMTP_PORT=465")


def failure_of(error: Exception) -> TaskError:
    """What the server's word means: 5xx is for good, anything else is worth another try. Nothing of it is quoted."""
    recipients = getattr(error, "recipients", None)
    codes = [code for code, _ in recipients.values()] if recipients else [getattr(error, "smtp_code", 0)]
    is_final = max(codes) >= 500 or isinstance(error, ValueError)
    kind = PermanentError if is_final else TransientError
    return kind(f"the mail server did not take it ({type(error).__name__}, {max(codes) or 'no answer'})")
