"""HTTP/1.1 on an asyncio transport: keep-alive, pipelining, Expect: 100-continue, CONNECT. Nothing
of AWS is known here.

One thread serves everything: no locks, and what a test sees is what happened."""

import asyncio
import base64
import socket

from .messages import Reply, Request

HEAD_LIMIT = 64 * 1024
BODY_LIMIT = 2 << 30
_REASONS = {100: "Continue", 200: "OK", 201: "Created", 204: "No Content",
            301: "Moved Permanently", 302: "Found", 400: "Bad Request", 401: "Unauthorized",
            403: "Forbidden", 404: "Not Found", 407: "Proxy Authentication Required",
            409: "Conflict", 411: "Length Required", 412: "Precondition Failed",
            413: "Content Too Large", 429: "Too Many Requests", 431: "Header Fields Too Large",
            500: "Internal Server Error", 501: "Not Implemented", 503: "Service Unavailable"}


class BadHead(Exception):
    def __init__(self, status, why):
        super().__init__(why)
        self.status = status


def parse_head(head):
    """(method, target, headers, length of the body) of the bytes before the empty line."""
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    tunnel = words[0] == "CONNECT"  # which some clients ask for in HTTP/1.0
    if len(words) != 3 or words[2] != "HTTP/1.1" and not tunnel:
        raise BadHead(400, "bad request line")
    headers = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not name or name[-1] in " \t" or line[0] in " \t":
            raise BadHead(400, "bad header")
        name, value = name.lower(), value.strip(" \t")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    if "host" not in headers and not tunnel:
        raise BadHead(400, "no host")
    if "transfer-encoding" in headers:
        raise BadHead(501, "transfer encodings are not played")
    length = headers.get("content-length")
    if length is None:
        if words[0] in ("POST", "PUT", "PATCH") and "expect" in headers:
            raise BadHead(411, "no length")
        return words[0], words[1], headers, 0
    if not length.isdigit() or int(length) > BODY_LIMIT:
        raise BadHead(413 if length.isdigit() else 400, "bad length")
    return words[0], words[1], headers, int(length)


class Listener:
    """Where connections arrive. `service` and `region` are set where only one is served."""

    def __init__(self, handle, world, tls=None, service=None, region=None, proxied=None):
        self.handle = handle
        self.world = world
        self.tls = tls  # an SSLContext, or None for plain HTTP
        self.service = service
        self.region = region
        self.proxied = proxied  # of a proxy: the Listener behind CONNECT
        self.connections = set()
        self.server = None
        self.socket = None
        self.port = 0

    def bind(self, host, port=0):
        """From here on clients can connect. A listener that was closed gets its port back."""
        self.socket = socket.create_server((host, self.port or port), backlog=512)
        self.port = self.socket.getsockname()[1]

    async def serve(self):
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(lambda: Connection(self), sock=self.socket,
                                               ssl=self.tls, backlog=512)

    def close(self):
        """Nobody listens any more, and who was connected is no longer."""
        if self.server is not None:
            self.server.close()
            self.server = self.socket = None
        self.cut_connections()

    def cut_connections(self):
        for connection in list(self.connections):
            connection.transport.abort()


class Connection(asyncio.Protocol):
    def __init__(self, listener):
        self.listener = listener
        self.transport = None
        self.buffer = bytearray()
        self.head = None
        self.busy = False

    def connection_made(self, transport):
        self.transport = transport
        self.listener.connections.add(self)
        self.listener.world.log.connected()
        if self.listener.world.settings.away == "close" and self.listener.service != "control":
            transport.abort()
        elif self.buffer:
            self.advance()

    def connection_lost(self, _):
        self.busy = True
        self.listener.connections.discard(self)
        self.listener.world.log.disconnected()

    def data_received(self, data):
        self.buffer += data
        if self.transport is not None:  # start_tls() may hand data over before it returns
            self.advance()

    def advance(self):
        """Serves what has arrived whole, one request after the other."""
        try:
            while not self.busy and self._next():
                pass
        except BadHead as error:
            self.busy = True
            self._write(Reply(error.status, str(error).encode(), {"connection": "close"}), "GET")
            self.transport.close()

    def _next(self):
        if self.head is None:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self.buffer) > HEAD_LIMIT:
                    raise BadHead(431, "the head is too large")
                return False
            self.head = parse_head(self.buffer[:end])
            del self.buffer[:end + 4]
            if self.head[2].get("expect", "").lower() == "100-continue" and \
                    len(self.buffer) < self.head[3]:
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        method, target, headers, length = self.head
        if len(self.buffer) < length:
            return False
        with memoryview(self.buffer) as view:
            body = bytes(view[:length])
        del self.buffer[:length]
        self.head = None
        if method == "CONNECT" and self.listener.proxied:
            self._tunnel(target, headers)
        else:
            self._serve(Request(method, target, headers, body, self.listener))
        return True

    def _serve(self, request):
        reply = self.listener.handle(request)
        if reply.delay > 0 or reply.cut == "hang":
            self.busy = True
            if reply.cut != "hang":
                asyncio.get_running_loop().call_later(reply.delay, self._late, reply, request)
            return
        self._finish(reply, request)

    def _late(self, reply, request):
        if not self.transport.is_closing():
            self.busy = False
            self._finish(reply, request)
            self.advance()

    def _finish(self, reply, request):
        if reply.cut == "silent":
            self.busy = True
            self.transport.abort()
        elif reply.cut == "middle":
            self.busy = True
            self._write(reply, request.method, half=True)
            asyncio.get_running_loop().call_later(0.05, self.transport.abort)
        else:
            self._write(reply, request.method)
            if request.headers.get("connection", "").lower() == "close":
                self.busy = True
                self.transport.close()

    def _write(self, reply, method, half=False):
        lines = [f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Status')}",
                 f"date: {self.listener.world.clock.http_date()}"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        if reply.status != 204:
            lines.append(f"content-length: {len(reply.body)}")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        content = head if method == "HEAD" else head + reply.body
        self.transport.write(content[:len(content) - max(1, len(reply.body) // 2)] if half
                             else content)

    def _tunnel(self, target, headers):
        """TLS to every name that a client asks the proxy for ends here."""
        login = self.listener.world.settings.proxy_login
        wanted = "Basic " + base64.b64encode(login.encode()).decode()
        if login and headers.get("proxy-authorization") != wanted:
            self._write(Reply(407, b"", {"proxy-authenticate": 'Basic realm="double"'}), "GET")
            return
        self.listener.world.log.proxied[target] += 1
        self.busy = True
        self.transport.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self.listener.connections.discard(self)
        self.listener.world.log.disconnected()
        asyncio.get_running_loop().create_task(self._start_tls(self.listener.proxied))

    async def _start_tls(self, behind):
        inner = Connection(behind)
        try:
            transport = await asyncio.get_running_loop().start_tls(
                self.transport, inner, behind.tls, server_side=True)
        except (OSError, asyncio.CancelledError):
            self.transport.abort()
            return
        inner.connection_made(transport)
