"""Plans of faults that begin and end while programs run: the page of tests/support/fault_plan.h, which
says what stands in it."""

import mmap
import struct

PAGE, WORDS, COUNTERS = 4096, 8, 3840


class FaultPlan:
    def __init__(self, path):
        self.path = path
        path.write_bytes(bytes(PAGE))
        with path.open("r+b") as file:
            self.page = mmap.mmap(file.fileno(), PAGE)
        self.number = 0

    def set(self, *words):
        """These faults and no others, counted from now on."""
        text = " ".join(words).encode()
        assert len(text) < COUNTERS - WORDS
        self._write_number()
        self.page[WORDS:] = text.ljust(PAGE - WORDS, b"\0")
        self._write_number()

    def clear(self):
        self.set()

    def hits(self, row=0):
        """How often the fault of this word was made."""
        return struct.unpack_from("<Q", self.page, COUNTERS + 16 * row + 8)[0]

    def _write_number(self):
        self.number += 1
        struct.pack_into("<Q", self.page, 0, self.number)
