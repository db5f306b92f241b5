# Sourced by the programs beside this folder; expects `self`, the real path of the calling one.
# When the environment is ready nothing here starts Python, so that a start costs only milliseconds.

checkout=${self%/bin/*}

# Finds a Python that can make an environment and prints its path.
find_python() {
    without_venv=
    for candidate in "${STOMA_PYTHON:-python3.13}" python3.12 python3.11 python3 python; do
        # Asked by running it: a name on PATH may be a shim without an interpreter behind it, or too old. The resolved
        # path is what counts, because it vanishes when the system replaces that version, and the environment is remade.
        found=$("$candidate" -c 'import os, sys
if sys.version_info < (3, 11): sys.exit(1)
print(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))
import ensurepip, venv' 2>/dev/null) && { printf '%s\n' "$found"; return; }
        [ -z "$found" ] || without_venv=$found
        [ -z "${STOMA_PYTHON:-}" ] || break
    done
    if [ -n "$without_venv" ]; then
        echo "stoma: $without_venv lacks the modules that make virtual environments (venv, ensurepip)." >&2
        echo "       Install them (Debian and Ubuntu: apt install python3-venv), or name another Python in STOMA_PYTHON." >&2
    elif [ -n "${STOMA_PYTHON:-}" ]; then
        echo "stoma: STOMA_PYTHON=$STOMA_PYTHON is not a Python 3.11 or newer." >&2
    else
        echo "stoma: no Python 3.11 or newer found. Install one, or name it: STOMA_PYTHON=/path/to/python3" >&2
    fi
    return 1
}

# prepare_environment REQUIREMENTS [SUFFIX]: sets `python` to an interpreter that has all of REQUIREMENTS.
prepare_environment() {
    requirements=$checkout/$1
    venv=${STOMA_VENV:-$checkout/.venv}${2:-}
    python=$venv/bin/python
    # The stamp is the requirements file as installed; it is written last, so a half-made environment has none.
    if ! { [ -x "$python" ] && cmp -s "$requirements" "$venv/stoma-requirements.txt" &&
        { [ -z "${STOMA_PYTHON:-}" ] || [ "$STOMA_PYTHON" = "$(cat "$venv/stoma-python")" ]; }; }; then
        base=$(find_python) || exit 1
        "$base" -I "$checkout/bin/lib/environment.py" "$venv" "$requirements" || exit
    fi
    # The checkout is found from any folder, and nothing that lies in the current folder is imported by accident (-P).
    export PYTHONPATH="$checkout"
}
