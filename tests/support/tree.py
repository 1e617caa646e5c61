#!/usr/bin/python3
"""The files that are the source of linesign, as in a fresh clone: no git is needed to tell.

  tree.py [PATTERN...]     prints them, those whose name or path fits a pattern (as in a shell)

What a build, a test or an editor leaves behind is told from it by its name, as in .gitignore.
"""

import os
import sys
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LEFT_BEHIND = ("build", "install")  # at the top
HIDDEN_FOLDERS = (".ci",)  # that are ours


def files_of_tree(root=ROOT, patterns=("*",)):
    """Their paths from `root`, sorted."""
    found = []
    for folder, folders, files in os.walk(root):
        if "CMakeCache.txt" in files:  # somebody's own build folder
            folders.clear()
            continue
        top = Path(folder) == Path(root)
        folders[:] = [name for name in folders
                      if name != "__pycache__" and not (top and name in LEFT_BEHIND)
                      and (not name.startswith(".") or name in HIDDEN_FOLDERS)]
        for name in files:
            path = os.path.relpath(os.path.join(folder, name), root)
            if not name.endswith(".pyc") and path not in (".git", "compile_commands.json") and any(
                    fnmatch(name, pattern) or fnmatch(path, pattern) for pattern in patterns):
                found.append(path)
    return sorted(found)


if __name__ == "__main__":
    print("\n".join(files_of_tree(patterns=sys.argv[1:] or ("*",))))
