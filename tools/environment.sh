#!/bin/sh
# Make a virtual environment with pip in it.  usage: environment.sh DIRECTORY [PYTHON]
#
# Debian ships Python without venv and pip unless python3-venv or python3-pip is installed; any of those, virtualenv
# or uv will do here, and a clear message says so when there is none.
set -eu
venv=$1
python=${2:-}

is_suitable() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

if [ -z "$python" ]; then
    for candidate in python3.11 python3 python3.12 python3.13 python3.14 /usr/bin/python3 python; do
        if is_suitable "$candidate"; then python=$candidate; break; fi
    done
fi
if [ -z "$python" ] || ! is_suitable "$python"; then
    echo "slosim needs Python 3.11 or newer${python:+, and $python is not}: install it, or name it: make PYTHON=/path/to/python3.11" >&2
    exit 1
fi

has_pip() { "$venv/bin/python" -m pip --version >/dev/null 2>&1; }
attempt() { rm -rf "$venv"; "$@" >/dev/null 2>&1 && has_pip; }

# An environment without pip, and the pip of the system to put one in.
lend_pip() {
    "$python" -m venv --without-pip "$venv" &&
        "$python" -m pip --python "$venv/bin/python" install --quiet pip
}
from_uv() { uv venv --quiet --seed --python "$python" "$venv"; }

attempt "$python" -m venv "$venv" || attempt lend_pip || attempt "$python" -m virtualenv "$venv" ||
    attempt from_uv || {
    rm -rf "$venv"
    echo "$python can make no virtual environment with pip: it lacks venv, pip and virtualenv, and there is no uv." >&2
    echo "Install one of them (Debian: apt install python3-venv), or name another Python: make PYTHON=/path/to/python3" >&2
    exit 1
}
