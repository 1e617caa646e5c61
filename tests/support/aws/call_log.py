"""Every call that arrived: when, which, from whom, with what result; counts and peaks."""

from collections import Counter, deque

LIMIT = 200_000  # the last calls are kept; the counts go on


class _Rate:
    """The most calls within any one second."""

    __slots__ = ("times", "peak")

    def __init__(self):
        self.times = deque()
        self.peak = 0

    def add(self, now):
        times = self.times
        times.append(now)
        while times[0] <= now - 1.0:
            times.popleft()
        if len(times) > self.peak:
            self.peak = len(times)


class CallLog:
    def __init__(self, clock):
        self._clock = clock
        self.reset()

    def reset(self):
        self.calls = deque(maxlen=LIMIT)
        self.bugs = 0  # exceptions of the double itself
        self.total = 0
        self.counts = Counter()  # operation -> calls
        self.results = Counter()  # (operation, code) -> calls; the code of a good one is "ok"
        self.by_target = Counter()  # (account, region, operation) -> calls
        self.unknown_members = Counter()  # (operation, name) -> how often it was sent
        self.replies_lost = Counter()  # operation -> replies that were cut after the effect
        self.admitted = {}  # (account, region, operation) -> _Rate of calls that were not throttled
        self.proxied = Counter()  # host:port -> connections through the proxy
        self.connections = 0
        self.open_connections = 0
        self.peak_connections = 0

    def add(self, monotonic, operation, account, region, status, code, fault, detail):
        self.total += 1
        self.counts[operation] += 1
        self.results[operation, code] += 1
        key = (account, region, operation)
        self.by_target[key] += 1
        if not code.startswith(("Throttling", "SlowDown")):
            rate = self.admitted.get(key)
            if rate is None:
                rate = self.admitted[key] = _Rate()
            rate.add(monotonic)
        self.calls.append((self._clock.now(), operation, account, region, status, code, fault,
                           detail))

    def connected(self):
        self.connections += 1
        self.open_connections += 1
        self.peak_connections = max(self.peak_connections, self.open_connections)

    def disconnected(self):
        self.open_connections -= 1

    def summary(self):
        def joined(counter):
            return {" ".join(map(str, key)): value for key, value in sorted(counter.items())}
        return {
            "total": self.total, "bugs": self.bugs, "counts": dict(self.counts),
            "results": joined(self.results),
            "by_target": joined(self.by_target),
            "unknown_members": joined(self.unknown_members),
            "replies_lost": dict(self.replies_lost), "proxied": dict(self.proxied),
            "peak_per_second": {" ".join(key): rate.peak for key, rate in self.admitted.items()},
            "connections": self.connections, "open_connections": self.open_connections,
            "peak_connections": self.peak_connections,
        }

    def table(self, operation=None, last=None):
        names = ("time", "operation", "account", "region", "status", "code", "fault", "detail")
        found = [call for call in self.calls if operation in (None, call[1])]
        if last is not None:
            found = found[-last:] if last else []
        return [dict(zip(names, call)) for call in found]
