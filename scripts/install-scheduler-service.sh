#!/bin/sh
# Installs Stoma as a service of systemd, and brings an installed one up to date. docs/systemd.md explains it.
set -eu

programs=/opt/stoma
settings=/etc/stoma
data=/var/lib/stoma
user=stoma
service=stoma-scheduler
unit=/etc/systemd/system/$service.service
commands="/usr/local/bin/stoma /usr/local/bin/stoma-run"

usage() {
    cat <<'END'
Installs Stoma as the systemd service stoma-scheduler, or brings an installed one up to date.

  install-scheduler-service.sh [--wheel FILE] [--dry-run]
  install-scheduler-service.sh --uninstall [--purge] [--dry-run]

  --wheel FILE   install this wheel; otherwise the checkout in which this script lies
  --dry-run      show each step, and change nothing
  --uninstall    remove the service and its programs; configuration and data stay
  --purge        with --uninstall: remove configuration, data and the user stoma, too
  --help         this text

It asks nothing, and can be run again at any time: what is in order already stays as it is, and no file of yours is
overwritten. STOMA_PYTHON names the Python to use (3.11 or newer). pip obeys PIP_NO_INDEX, PIP_FIND_LINKS and the like.
END
}

# --- saying and doing ---

say() { printf '%s\n' "$*"; }

fail() { # WHAT [WHAT TO DO [EXIT CODE]]
    printf 'error: %s\n' "$1" >&2
    [ -z "${2:-}" ] || printf '       %s\n' "$2" >&2
    exit "${3:-1}"
}

run() {
    printf '  %s\n' "$*"
    [ -n "$dry_run" ] || "$@"
}

# Standard input as a file: MODE GROUP FILE
write() {
    printf '  write %s\n' "$3"
    if [ -n "$dry_run" ]; then
        cat >/dev/null
    else
        # Beside it first: nobody reads half a file, and the mode holds from the beginning.
        (umask 077 && cat >"$3.new")
        chgrp "$2" "$3.new"
        chmod "$1" "$3.new"
        mv -f "$3.new" "$3"
    fi
}

folder() { # MODE GROUP FOLDER
    [ -d "$3" ] || run install -d -m "$1" -o root -g "$2" "$3"
}

is_user() { getent passwd "$user" >/dev/null; }
is_ours() { grep -qs 'install-scheduler-service' "$1"; }
as_user() { setpriv --reuid="$user" --regid="$user" --clear-groups "$@"; }

# --- what this machine has ---

check_machine() {
    [ -z "$dry_run" ] || return 0
    [ "$(id -u)" = 0 ] || fail "this needs the rights of root" "run it with sudo; --dry-run shows without them what it would do"
    [ -d /run/systemd/system ] || fail "this machine was not booted by systemd" \
        "without it, start stoma-run by what supervises services here, or use the container"
}

# Sets `python` to one that can make environments and that the service can reach.
find_python() {
    seen='' unreachable=''
    for name in "${STOMA_PYTHON:-python3.13}" python3.12 python3.11 python3 /usr/bin/python3; do
        # Asked by running it: a name on PATH may be a shim with nothing behind it, or too old.
        python=$("$name" -I -c 'import os, sys
if sys.version_info < (3, 11): sys.exit(1)
print(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))
import ensurepip, venv' 2>/dev/null) && case $python in
            '/home'/* | '/root'/* | '/run/user'/*) unreachable=$python ;;
            *) return 0 ;;
        esac
        [ -z "$python" ] || seen=$python
        [ -z "${STOMA_PYTHON:-}" ] || break
    done
    [ -z "$unreachable" ] || fail "$unreachable lies where the service cannot reach it: it sees no home folders" \
        "install Python for the whole system, or name another one: STOMA_PYTHON=/usr/bin/python3"
    [ -z "$seen" ] || fail "$seen lacks the modules that make virtual environments (venv, ensurepip)" \
        "install them (Debian and Ubuntu: apt install python3-venv), or name another Python in STOMA_PYTHON"
    [ -z "${STOMA_PYTHON:-}" ] || fail "STOMA_PYTHON=$STOMA_PYTHON is not a Python 3.11 or newer"
    fail "no Python 3.11 or newer found" "install one, or name it: STOMA_PYTHON=/path/to/python3"
}

# Sets `unit_source` and `yaml_source`: beside this script, or where they lie in a checkout; and `checkout`, if it is one.
find_sources() {
    here=$(cd "$(dirname "$0")" && pwd -P)
    checkout=
    [ ! -f "$here/../stoma/__init__.py" ] || checkout=$(cd "$here/.." && pwd -P)
    for unit_source in "$here/$service.service" "$here/../deploy/systemd/$service.service" ""; do
        [ ! -f "$unit_source" ] || break
    done
    [ -n "$unit_source" ] || fail "$service.service is missing" \
        "it lies in deploy/systemd of the checkout; put it beside this script"
    for yaml_source in "$here/stoma.yaml" "$here/../stoma.yaml" ""; do
        [ ! -f "$yaml_source" ] || break
    done
    if [ -n "$wheel" ]; then
        [ -f "$wheel" ] || fail "there is no file $wheel" "--wheel takes the path of stoma_scheduler-….whl" 2
        wheel=$(cd "$(dirname "$wheel")" && pwd -P)/$(basename "$wheel")
        pins=$(dirname "$wheel")/requirements.txt
    else
        [ -n "$checkout" ] || fail "this script lies in no checkout" "say what to install: --wheel FILE" 2
        pins=$checkout/requirements.txt
    fi
}

# --- the steps ---

make_user() {
    is_user && return
    say "the user that it runs as:"
    nologin=/usr/sbin/nologin
    [ -x "$nologin" ] || nologin=/bin/false
    run useradd --system --user-group --home-dir "$data" --no-create-home --shell "$nologin" "$user"
}

make_folders() {
    say "folders, where they are missing:"
    folder 755 root "$programs"
    folder 750 "$user" "$settings"
    folder 700 root "$settings/secrets"
    if [ ! -d "$data" ]; then
        run install -d -m 700 -o "$user" -g "$user" "$data"
    fi
    # Tasks that are added by command or page: written by the service, which may write its data and nothing else.
    # Made as that user: in a folder of theirs, root must not follow what somebody may have put there.
    [ -d "$data/tasks" ] || run setpriv --reuid="$user" --regid="$user" --clear-groups mkdir -m 700 "$data/tasks"
    [ -e "$settings/tasks" ] || [ -L "$settings/tasks" ] || run ln -s "$data/tasks" "$settings/tasks"
    # So that editors find what the first line of stoma.yaml names.
    [ -e "$settings/schemas" ] || [ -L "$settings/schemas" ] || run ln -s "$programs/current/schemas" "$settings/schemas"
}

make_settings() {
    say "settings, where there are none:"
    if [ ! -e "$settings/stoma.yaml" ]; then
        if [ -n "$yaml_source" ]; then
            # shellcheck disable=SC2016
            sed 's|`bin/stoma-run --check`|`sudo stoma-run --check`|' "$yaml_source"
        else
            # shellcheck disable=SC2016
            printf '%s\n' '# yaml-language-server: $schema=schemas/stoma.schema.json' \
                'version: 1' 'presets: [default]' "identity: {contact: \"\${env:STOMA_CONTACT}\"}"
        fi | write 640 "$user" "$settings/stoma.yaml"
    fi
    if [ ! -e "$settings/environment" ]; then
        write 600 root "$settings/environment" <<'END'
# What stoma.yaml refers to as ${env:NAME}: NAME=value, one a line. Then: systemctl restart stoma-scheduler
#STOMA_CONTACT=Your Name you@example.org
END
    fi
}

# What is to be installed, as one word: the same word, the same programs.
fingerprint() {
    {
        "$python" -I -c 'import sys; print(sys.version)'
        for file in "$wheel" "$pins" "$settings/requirements.txt"; do
            [ ! -f "$file" ] || sha256sum <"$file"
        done
        [ -n "$wheel" ] || (cd "$checkout" && find stoma presets schemas -type f ! -name '*.py[co]' \
            -exec sha256sum {} + | LC_ALL=C sort)
    } | sha256sum | cut -d' ' -f1
}

pip() {
    # No code of a package runs while it is installed. What keeps people from installing elsewhere must not matter here.
    run env PIP_REQUIRE_VIRTUALENV=0 PIP_USER=0 "$new/bin/python" -I -m pip install --quiet --no-input \
        --disable-pip-version-check --only-binary :all: "$@" ||
        fail "the packages could not be installed; pip says why above" \
            "is there a network? Without one, set PIP_FIND_LINKS to a folder of wheels, and PIP_NO_INDEX=1"
}

# Sets `new` to an environment of its own, complete but not yet in use; leaves it empty where the present one will do.
make_programs() {
    new=
    wanted=$(fingerprint)
    if [ "$(cat "$programs/current/stoma-installed" 2>/dev/null)" = "$wanted" ]; then
        say "programs: those in $programs/current are up to date"
        return
    fi
    say "programs, beside those in use:"
    new=$programs/env-$(date -u +%Y%m%d-%H%M%S)
    # Whatever ends this early leaves what is in use as it was.
    [ -n "$dry_run" ] || trap 'rm -rf "$new"' EXIT
    run "$python" -I -m venv "$new"
    if [ -f "$pins" ]; then
        pip --require-hashes -r "$pins"
        # Nothing beyond the pins is fetched; whether they are enough is asked below.
        [ -z "$wheel" ] || pip --no-deps "$wheel"
    else
        pip "$wheel"
    fi
    [ -n "$wheel" ] || copy_checkout
    if [ -f "$settings/requirements.txt" ]; then
        pip -r "$settings/requirements.txt"
    fi
    [ -n "$dry_run" ] || {
        inside=$("$new/bin/python" -I -c 'import stoma; print(*stoma.__path__)')
        ln -s "$inside/_shipped/schemas" "$new/schemas"
        chmod -R a+rX,go-w "$new"
        "$new/bin/python" -I -m pip check --disable-pip-version-check >&2 ||
            fail "the packages do not fit one another" "$pins belongs to another version of Stoma, or $settings/requirements.txt asks too much"
        as_user "$new/bin/stoma-run" --version >/dev/null || fail "the user $user cannot run $new/bin/stoma-run"
        printf '%s\n' "$wanted" >"$new/stoma-installed"
    }
}

# As in the wheel, without building one: that would fetch the tools that build.
copy_checkout() {
    run cp -R "$checkout/stoma" "$checkout/presets" "$checkout/schemas" "$new/"
    [ -n "$dry_run" ] || {
        inside=$("$new/bin/python" -I -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
        mv "$new/stoma" "$inside/stoma"
        mkdir -p "$inside/stoma/_shipped"
        mv "$new/presets" "$new/schemas" "$inside/stoma/_shipped/"
        find "$inside/stoma" -name __pycache__ -prune -exec rm -rf {} +
        "$new/bin/python" -I -m compileall -q "$inside/stoma"
        for pair in stoma:main stoma-run:run; do
            printf '#!/bin/sh\nexec "%s/bin/python" -P -m stoma.cli.%s "$@"\n' "$new" "${pair#*:}" >"$new/bin/${pair%:*}"
            chmod 755 "$new/bin/${pair%:*}"
        done
    }
}

make_commands() {
    for command in $commands; do
        if [ -e "$command" ] && ! is_ours "$command"; then
            say "  $command is something else and stays; the one of the service is $programs/current/bin/${command##*/}"
            continue
        fi
        command_text | cmp -s - "$command" || command_text | write 755 root "$command"
    done
}

command_text() {
    cat <<'END'
#!/bin/sh
# The command line upon the service's files and data, as its user. Made by install-scheduler-service.sh.
export STOMA_CONFIG="${STOMA_CONFIG:-/etc/stoma/stoma.yaml}" STOMA_DATA="${STOMA_DATA:-/var/lib/stoma}"
program=/opt/stoma/current/bin/${0##*/}
if [ "$(id -u)" = 0 ]; then
    # As systemd reads it: NAME=value, one a line, with or without quotes around the value.
    while [ -r /etc/stoma/environment ] && IFS= read -r line; do
        name=${line%%=*} value=${line#*=}
        case $name in "$line" | "" | [0-9]* | *[!A-Za-z0-9_]*) continue ;; esac
        case $value in \"*\" | \'*\') value=${value#?} value=${value%?} ;; esac
        export "$name=$value"
    done </etc/stoma/environment
    export HOME=/var/lib/stoma
    umask 077
    exec setpriv --reuid=stoma --regid=stoma --clear-groups --no-new-privs "$program" "$@"
fi
if [ "$(id -un)" != stoma ] && [ -z "${_STOMA_COMPLETE:-}" ]; then
    echo "error: this acts on the service, as its user; try: sudo ${0##*/} $*" >&2
    exit 1
fi
exec "$program" "$@"
END
}

make_unit() {
    cmp -s "$unit_source" "$unit" && return
    say "the service:"
    write 644 root "$unit" <"$unit_source"
    run systemctl daemon-reload
    is_changed=yes
}

start() {
    before=$(readlink "$programs/current" 2>/dev/null || true)
    [ -z "$new" ] || switch "$new"
    [ -n "$dry_run" ] || trap - EXIT
    systemctl is-enabled --quiet "$service" 2>/dev/null || run systemctl enable "$service"
    if [ -z "$new$is_changed" ] && systemctl is-active --quiet "$service" 2>/dev/null; then
        return
    fi
    say "the start, which takes until it can be used:"
    run systemctl restart "$service" || not_started
    for old in "$programs"/env-*; do
        if [ -d "$old" ] && [ "$old" != "${new:-$before}" ]; then
            run rm -rf "$old"
        fi
    done
}

switch() {
    run ln -sfn "$1" "$programs/current.new"
    # In one step: there is always one.
    run mv -fT "$programs/current.new" "$programs/current"
}

not_started() {
    journalctl --unit "$service" --lines 15 --no-pager --output cat >&2 || true
    if [ -n "$new" ] && [ -n "$before" ] && [ -d "$before" ]; then
        switch "$before"
        rm -rf "$new"
        systemctl reset-failed "$service" || true
        systemctl restart "$service" || fail "neither the new programs start nor those from before" \
            "the lines above say why; journalctl -u $service has more"
        fail "the new programs do not start; those from before are in use again" "the lines above say why"
    fi
    fail "it is installed but does not start" \
        "the lines above say why; mend it, then: systemctl restart $service"
}

install_it() {
    is_changed=
    find_sources
    find_python
    make_user
    make_folders
    make_settings
    make_programs
    make_unit
    say "the commands:"
    make_commands
    start
    if [ -n "$dry_run" ]; then
        say "nothing was changed"
    else
        say "$("$programs/current/bin/stoma-run" --version) runs as $service" \
            "(systemctl status $service, journalctl -u $service, sudo stoma scheduler status);"
        say "what it collects stands in $settings/stoma.yaml, edits are taken up as they are saved."
    fi
}

uninstall_it() {
    say "the service:"
    if [ -e "$unit" ]; then
        run systemctl disable --now "$service"
        run rm -f "$unit"
        run systemctl daemon-reload
        [ -n "$dry_run" ] || systemctl reset-failed "$service" 2>/dev/null || true
    fi
    say "the programs:"
    for command in $commands; do
        ! is_ours "$command" || run rm -f "$command"
    done
    for path in "$programs"/env-* "$programs/current"; do
        if [ -e "$path" ] || [ -L "$path" ]; then
            run rm -rf "$path"
        fi
    done
    [ ! -d "$programs" ] || run rmdir "$programs" || say "  $programs holds something else and stays"
    if [ -z "$purge" ]; then
        say "$settings, $data and the user $user stay, where they are there; --uninstall --purge removes them, too"
        return
    fi
    say "settings, data and the user:"
    for path in "$settings" "$data" "$unit.d"; do
        [ ! -e "$path" ] || run rm -rf "$path"
    done
    ! is_user || run userdel "$user"
    [ -n "$dry_run" ] || systemctl daemon-reload
}

wheel='' dry_run='' uninstall='' purge=''
while [ $# -gt 0 ]; do
    case $1 in
        --wheel=*) wheel=${1#*=} ;;
        --wheel)
            [ $# -gt 1 ] || fail "--wheel needs a file" "--help shows how" 2
            wheel=$2
            shift
            ;;
        --dry-run) dry_run=yes ;;
        --uninstall) uninstall=yes ;;
        --purge) purge=yes ;;
        -h | --help)
            usage
            exit
            ;;
        *) fail "unknown: $1" "--help shows what there is" 2 ;;
    esac
    shift
done
[ -z "$purge" ] || [ -n "$uninstall" ] || fail "--purge goes with --uninstall" "--help shows how" 2
[ -z "$wheel" ] || [ -z "$uninstall" ] || fail "--wheel does not go with --uninstall" "--help shows how" 2

# What is installed is for all to read, whatever the person at work has set.
umask 022
check_machine
if [ -n "$uninstall" ]; then
    uninstall_it
else
    install_it
fi
