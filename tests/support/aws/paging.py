"""Pages of lists: an opaque marker holds a position and the name of the list that it belongs to."""

import base64
import binascii

from .errors import invalid
from .shapes import ANY, BOOLEAN, MARKER, PAGE, query

# The two families of names for the same thing.
BY_MARKER = {"pageSize": query(PAGE), "marker": query(MARKER),
             "ascendingOrder": query(BOOLEAN, "isAscendingOrder")}
BY_TOKEN = {"maxResults": query(PAGE), "nextToken": query(ANY)}
_DEFAULT_SIZE = 25


def _position(name, marker):
    try:
        owner, _, position = base64.b64decode(marker, validate=True).decode().rpartition(":")
        if owner == name and position.isdigit():
            return int(position)
    except (binascii.Error, ValueError):
        pass
    raise invalid("The marker is not valid")


def page(name, items, size, marker, show, descending=False):
    """(shown items, next marker or None). `show` gives None for an item that is gone; such gaps do
    not count. Positions are absolute, so a list that grows meanwhile repeats and skips nothing."""
    step = -1 if descending else 1
    at = _position(name, marker) if marker else len(items) - 1 if descending else 0
    shown = []
    while 0 <= at < len(items) and len(shown) < size:
        made = show(items[at])
        at += step
        if made is not None:
            shown.append(made)
    if not 0 <= at < len(items):
        return shown, None
    return shown, base64.b64encode(f"{name}:{at}".encode()).decode()


def marker_page(call, name, items, key, show):
    """The answer of an operation that pages by marker: newest first unless asked otherwise."""
    shown, following = page(name, items, call.get("pageSize", _DEFAULT_SIZE), call.get("marker"),
                            show, not call.get("ascendingOrder", False))
    return {key: shown, **({"nextMarker": following} if following else {})}


def token_page(call, name, items, key, show=lambda item: item):
    shown, following = page(name, items, call.get("maxResults", _DEFAULT_SIZE),
                            call.get("nextToken"), show)
    return {key: shown, **({"nextToken": following} if following else {})}
