"""Around the routes: limits on size and time, and headers that allow no script but the page's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.responses import JSONResponse

from n2r_jax.serve.limits import Limits

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Receive, Send], Awaitable[None]]

_POLICY = (
    "default-src 'none'; connect-src 'self'; img-src 'self' data:; script-src 'self'{inline}; "
    "style-src 'self'{inline}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Guard:
    """An ASGI app that reads a request's body within the limits before the app inside sees it."""

    def __init__(self, app: App, limits: Limits):
        self.app, self.limits = app, limits

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer 413 to a body that is too large, 408 to one too slow, 503 if the answer is."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        sender = _Sender(send, scope["path"])
        limits = self.limits
        try:
            async with asyncio.timeout(limits.seconds):
                body = await _read(receive, limits.body_bytes)
        except TimeoutError:
            detail = f"the request took more than {limits.seconds:g} s to arrive; send it again"
            return await JSONResponse({"detail": detail}, 408)(scope, receive, sender)
        except _Gone:
            return None
        if body is None:
            detail = f"the body is too large; send at most {limits.body_bytes} bytes"
            return await JSONResponse({"detail": detail}, 413)(scope, receive, sender)
        try:
            async with asyncio.timeout(limits.seconds):
                await self.app(scope, _replay(body, receive), sender)
        except TimeoutError:
            if sender.started:
                raise
            detail = f"no answer within {limits.seconds:g} s; ask again later"
            await JSONResponse({"detail": detail}, 503)(scope, receive, sender)
        return None


class _Gone(Exception):
    """The client closed the connection."""


async def _read(receive: Receive, limit: int) -> bytes | None:
    """The whole body; None if it is larger.

    What is too large is read to its end and dropped: clients that are still sending when the
    connection is closed see a reset, not the answer.
    """
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        part = message.get("body", b"")
        size += len(part)
        parts.append(part)
        if size > limit:
            parts.clear()
        more = message.get("more_body", False)
    return b"".join(parts) if size <= limit else None


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body as one message, then whatever the connection says."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return messages.pop() if messages else await receive()

    return replayed


class _Sender:
    """Adds headers to a response, and knows whether it has begun."""

    def __init__(self, send: Send, path: str):
        self._send = send
        self.started = False
        # Swagger's own page starts by a script in the page; it shows no text but the schema.
        inline = " 'unsafe-inline'" if path == "/docs" else ""
        self._headers = [
            (b"content-security-policy", _POLICY.format(inline=inline).encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"cache-control", b"no-store"),
        ]

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            message["headers"] = [*message.get("headers", []), *self._headers]
        await self._send(message)
