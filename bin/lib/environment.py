"""Makes a virtual environment from hash-pinned requirements. Standard library only: nothing else is there yet."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path


class Failure(Exception):
    """What a person should read, in two lines: what happened, and what to do."""


def say(text: str) -> None:
    """Standard output belongs to the program that is about to start."""
    print(f"stoma: {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def only_one(lock: Path) -> Iterator[None]:
    """Two first starts at once: the second waits. The kernel frees the lock even when its holder is killed."""
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another start is preparing the environment; waiting for it …")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None


def make(folder: Path, requirements: Path) -> None:
    """Create or update `folder` until its stamp says that everything in `requirements` is installed."""
    stamp, made_with = folder / "stoma-requirements.txt", folder / "stoma-python"
    python, asked = folder / "bin" / "python", os.environ.get("STOMA_PYTHON")
    wanted, installed = requirements.read_text(encoding="utf-8"), read(stamp)
    whole = installed is not None and os.access(python, os.X_OK) and asked in (None, "", read(made_with))
    if whole and installed == wanted:
        return  # the start we waited for has done it

    if whole:
        say(f"the requirements have changed; updating {folder} …")
        stamp.unlink()
    else:
        if folder.exists() and not (folder / "pyvenv.cfg").exists() and any(folder.iterdir()):
            raise Failure(f"{folder} exists and is no virtual environment\nmove it away, or set STOMA_VENV")
        version = ".".join(map(str, sys.version_info[:3]))
        say(f"preparing the environment in {folder} with Python {version} (once; this takes a moment) …")
        stamp.unlink(missing_ok=True)
        venv.create(folder, clear=True, with_pip=True, symlinks=True)
    install(python, requirements)
    made_with.write_text(asked or "", encoding="utf-8")
    partial = stamp.with_suffix(".part")
    partial.write_text(wanted, encoding="utf-8")
    partial.replace(stamp)
    say("the environment is ready.")


def install(python: Path, requirements: Path) -> None:
    """Wheels with the pinned hashes, and nothing else: no code of a package runs while it is installed."""
    options = ["--quiet", "--no-input", "--disable-pip-version-check", "--retries", "3"]
    pinned = ["--require-hashes", "--only-binary", ":all:", "-r", str(requirements)]
    # Set by some systems to keep people from installing outside an environment; inside one it must not matter.
    env = os.environ | {"PIP_REQUIRE_VIRTUALENV": "0", "PIP_USER": "0"}
    command = [str(python), "-I", "-m", "pip", "install", *options, *pinned]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        print(*done.stdout.decode(errors="replace").splitlines()[-6:], sep="\n", file=sys.stderr)
        raise Failure(
            "the packages could not be installed; pip says why above\n"
            "is there a network? Without one, set PIP_FIND_LINKS to a folder of wheels, and PIP_NO_INDEX=1"
        )


def main() -> int:
    folder, requirements = (Path(argument).absolute() for argument in sys.argv[1:3])
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with only_one(folder.with_name(f"{folder.name}.lock")):
            make(folder, requirements)
    except KeyboardInterrupt:
        say("interrupted; the next start begins again.")
        return 130
    except PermissionError as error:
        say(f"{error.filename or folder} cannot be written; set STOMA_VENV to a folder that can.")
        return 1
    except OSError as error:
        say(f"{error}; the environment belongs in {folder}, STOMA_VENV names another place.")
        return 1
    except subprocess.CalledProcessError as error:
        detail = (error.output or b"").decode(errors="replace").strip()
        say(f"the environment could not be made in {folder}: {detail or error}")
        return 1
    except Failure as failure:
        what, _, then = str(failure).partition("\n")
        say(f"{what}.\n       {then}.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
