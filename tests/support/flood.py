"""Floods of connections that say nothing, or half of something, and come back when they are closed."""

import contextlib
import resource
import selectors
import socket
import threading


def allow_descriptors():
    """As many as this process may have: the usual limit is less than a flood."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Flood:
    """So many connections to a TCP address or, for a path, to a Unix socket. They come from `sources`
    in turn, send `first_bytes` and nothing more."""

    def __init__(self, address, count, sources=(), first_bytes=b""):
        self.address = address
        self.count = count
        self.sources = sources
        self.first_bytes = first_bytes
        self.error = None
        self.is_complete = threading.Event()  # each was opened once
        self.ends = threading.Event()
        self.selector = selectors.DefaultSelector()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Fails if the flood was none, or not to its end."""
        self.ends.set()
        self.thread.join()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()
        if self.error is not None:
            raise AssertionError(f"the flood has ended: {self.error!r}") from self.error

    def _run(self):
        try:
            for number in range(self.count):
                self._open(number)
            self.is_complete.set()
            while not self.ends.wait(0.01):
                for key, _ in self.selector.select(0.05):
                    self.selector.unregister(key.fileobj)
                    key.fileobj.close()
                    self._open(key.data)
        except Exception as error:  # of any kind: close() tells it
            self.error = error

    def _open(self, number):
        client = socket.socket(socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET)
        client.setblocking(False)
        if self.sources:
            client.bind((self.sources[number % len(self.sources)], 0))
        with contextlib.suppress(OSError):  # refused, or in progress
            client.connect(self.address)
            client.send(self.first_bytes)
        self.selector.register(client, selectors.EVENT_READ, number)
