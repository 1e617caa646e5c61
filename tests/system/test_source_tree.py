"""What the two commands need of a machine: no git, and each release's own package names."""

import os
import subprocess

import pytest

from support.tree import ROOT, files_of_tree


def copy_tree(into):
    for name in files_of_tree():
        path = into / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((ROOT / name).read_bytes())
        path.chmod((ROOT / name).stat().st_mode)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """The tree as an unpacked source archive, and the environment of a machine without git."""
    folder = tmp_path_factory.mktemp("archive")
    copy_tree(folder / "linesign")
    tools = folder / "tools"
    tools.mkdir()
    for name in os.listdir("/usr/bin"):
        if name != "git":
            (tools / name).symlink_to(f"/usr/bin/{name}")
    environment = {"PATH": str(tools), "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    return folder / "linesign", environment


def run(archive, *arguments):
    folder, environment = archive
    return subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True,
                          check=False)


@pytest.mark.parametrize("stage", ["floors", "links", "shell"])
def test_an_archive_passes_the_check_where_git_is_not_installed(archive, stage):
    made = run(archive, "bash", "tests/check.sh", "--no-install", "-f", stage)
    assert made.returncode == 0, made.stdout + made.stderr
    assert made.stdout.split("\n")[-2].endswith(" passed, 0 failed")
    assert not made.stdout.startswith("0 passed")


def test_what_builds_and_editors_leave_is_not_source(archive):
    folder, _ = archive
    expected = files_of_tree(folder)
    left = ("build/check/floors.log", "install/bin/linesign", ".git/config", ".vscode/tasks.json",
            "hsm/__pycache__/a.py", "tests/support/der.pyc", "compile_commands.json",
            "out/CMakeCache.txt", "out/generated.cpp")
    for name in left:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    (folder / "hsm/new.cpp").write_text("")

    listed = run(archive, "python3", "tests/support/tree.py").stdout.split()
    for name in (*left, "hsm/new.cpp"):
        (folder / name).unlink()

    assert listed == sorted([*expected, "hsm/new.cpp"])
    assert ".ci/run" in listed


LIST = """
[build]
g++
[test]
awscli | none
clang-format-14 | clang-format-17
"""


@pytest.fixture
def release(tmp_path):
    """Runs install_packages where apt has some packages, and others are installed already."""
    def install(has, installed=()):
        scripts = {
            "sudo": 'exec "$@"',
            "apt-get": f'echo "$@" >>{tmp_path}/apt.log',
            "apt-cache": f'case " {" ".join(has)} " in *" $2 "*) echo "  Candidate: 1";;'
                         ' *) echo "  Candidate: (none)";; esac',
            "dpkg-query": f'case " {" ".join(installed)} " in *" $3 "*) echo installed;; esac',
        }
        for name, script in scripts.items():
            (tmp_path / name).write_text(f"#!/bin/bash\n{script}\n")
            (tmp_path / name).chmod(0o755)
        (tmp_path / "packages.txt").write_text(LIST)
        (tmp_path / "apt.log").write_text("")
        made = subprocess.run(
            ["bash", "-euo", "pipefail", "-c",
             f"source {ROOT}/tests/support/packages.sh; install_packages packages.txt build test"],
            cwd=tmp_path, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True,
            check=False)
        assert made.returncode == 0, made.stderr
        asked = (tmp_path / "apt.log").read_text().split("\n")
        return [line.split("--no-install-recommends ")[1].split() for line in asked
                if line.startswith("install")], made.stderr
    return install


def test_the_first_package_that_the_release_has_is_installed(release):
    every = ["g++", "awscli", "clang-format-14", "clang-format-17"]
    assert release(every) == ([["g++", "awscli", "clang-format-14"]], "")
    every.remove("clang-format-14")
    assert release(every) == ([["g++", "awscli", "clang-format-17"]], "")


def test_what_is_installed_is_not_chosen_again(release):
    every = ["g++", "awscli", "clang-format-14", "clang-format-17"]
    assert release(every, installed=["g++", "awscli", "clang-format-17"]) == ([], "")


def test_a_package_that_the_release_may_lack_is_named(release):
    asked, said = release(["g++", "clang-format-17"])
    assert asked == [["g++", "clang-format-17"]]
    assert said == "This release has no package awscli: tests that need it will fail.\n"


def test_a_package_that_no_release_has_is_left_to_apt(release):
    asked, _ = release(["awscli", "clang-format-14"])
    assert asked == [["g++", "awscli", "clang-format-14"]]
