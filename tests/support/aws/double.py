"""Starts the double: opens the ports, prints one JSON line, serves until SIGTERM.

  /usr/bin/python3 -m tests.support.aws.double --dir DIR [--accounts FILE] [--port N] ..."""

import argparse
import asyncio
import gc
import json
import signal
import sys
from pathlib import Path

from .control import Control
from .dispatch import Dispatcher
from .http_server import Listener
from .metadata import Metadata
from .tls import make_context
from .world import World


def parse_options(arguments):
    parser = argparse.ArgumentParser(prog="aws-double", description="Plays AWS for tests.")
    parser.add_argument("--dir", required=True, type=Path, help="for ca.pem and the certificates")
    parser.add_argument("--accounts", type=Path, help="start-up file (JSON); see README.md")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="of TLS; 0 chooses one")
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--pin", action="append", default=[], metavar="SERVICE/REGION",
                        help="one more TLS port, for this service and region only")
    parser.add_argument("--watch-stdin", action="store_true",
                        help="end when standard input does: nobody is left who would stop it")
    return parser.parse_args(arguments)


class Double:
    def __init__(self, options):
        self.options = options
        tables = json.loads(options.accounts.read_text()) if options.accounts else None
        self.world = World(tables)
        options.dir.mkdir(parents=True, exist_ok=True)
        tls = make_context(options.dir, self.world.settings.regions, self.world)
        handle = Dispatcher(self.world).handle
        self.shared = Listener(handle, self.world, tls)
        self.plain = Listener(handle, self.world)
        self.proxy = Listener(handle, self.world, proxied=Listener(handle, self.world, tls))
        self.metadata = Listener(Metadata(self.world).handle, self.world)
        self.control = Listener(Control(self.world, self.apply).handle, self.world,
                                service="control")
        self.pinned = {each: Listener(handle, self.world, tls, *each.split("/"))
                       for each in options.pin}
        self.services = [self.shared, self.plain, self.proxy, *self.pinned.values()]
        self.refusing = False
        self.changing = None

    async def open(self):
        wanted = {self.shared: self.options.port, self.control: self.options.control_port}
        for each in (*self.services, self.metadata, self.control):
            each.bind(self.options.host, wanted.get(each, 0))
            await each.serve()
        self.world.shared_port = self.shared.port
        self.world.schedule = asyncio.get_running_loop().call_later

    def ports(self):
        host, port = self.options.host, self.shared.port
        return {
            "ca": str(self.options.dir / "ca.pem"),
            "endpoint": f"https://{host}:{port}", "plain": f"http://{host}:{self.plain.port}",
            "proxy": f"http://{host}:{self.proxy.port}",
            "metadata": f"http://{host}:{self.metadata.port}",
            "control": f"http://{host}:{self.control.port}/_double",
            "pinned": {name: f"https://{host}:{each.port}" for name, each in self.pinned.items()},
        }

    def apply(self, cut=False):
        """Opens and closes the ports as the settings say."""
        refuse = self.world.settings.away == "refuse"
        if refuse and not self.refusing:
            for each in self.services:
                each.close()
        elif not refuse and self.refusing:
            for each in self.services:
                each.bind(self.options.host)
            self.changing = asyncio.get_running_loop().create_task(self._serve())
        self.refusing = refuse
        if cut or self.world.settings.away or self.world.settings.untrusted_tls:
            for each in (*self.services, self.proxy.proxied):
                each.cut_connections()

    async def _serve(self):
        for each in self.services:
            await each.serve()

    async def run(self):
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        if self.options.watch_stdin:
            asyncio.get_running_loop().add_reader(sys.stdin, stop.set)
        await self.open()
        print(json.dumps(self.ports()), flush=True)
        await stop.wait()


def main(arguments=None):
    # A hundred thousand certificates are many objects that the collector need not walk.
    gc.set_threshold(200_000, 20, 100)
    asyncio.run(Double(parse_options(arguments)).run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
