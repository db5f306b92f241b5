#!/bin/sh
# Pins every dependency, with hashes, for all platforms and Python versions at once. Needs uv; extra arguments go to
# it, e.g. `scripts/lock.sh --upgrade`. The files name neither a registry nor a machine.
set -eu
cd "$(dirname "$0")/.."

lock() {
    output=$1
    shift
    uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --no-emit-find-links --custom-compile-command scripts/lock.sh --output-file "$output" "$@"
}

lock requirements.txt "$@"
# Tests run on the very versions that users get.
lock requirements-dev.txt --constraint requirements.txt --group dev "$@"
