#!/bin/sh
# install.sh - see that what a command of the Makefile needs from the system is there.
#
#     scripts/install.sh build|demo|test
#
# Installs only what is missing, says so before it does, and is silent where nothing is. System packages come through apt-get (with
# sudo unless root); Azurite, the emulator of Azure Storage, comes from npm into ./node_modules, at the versions of package-lock.json.
# Ends with an error where something needed can be had in neither way; a missing second opinion (dislocker, ntfs-3g) only means that
# the tests which ask for it are skipped, and they say so.
set -eu
cd "$(dirname "$0")/.."

say() {
    printf '%s\n' "$*" >&2
}

# has COMMAND: on the path, or where Debian keeps what is root's
has() {
    command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ]
}

# need COMMAND PACKAGE: puts the package on the list if the command is missing
need() {
    has "$1" || needed="$needed $2"
}

want() {
    has "$1" || wanted="$wanted $2"
}

apt() {
    if [ "$(id -u)" -eq 0 ]; then
        env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@" >&2
    else
        sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@" >&2
    fi
}

# Can packages be installed at all? Says why not.
apt_usable() {
    if ! has apt-get; then
        say "This is no Debian or Ubuntu (no apt-get)."
        return 1
    fi
    if [ "$(id -u)" -ne 0 ] && ! has sudo; then
        say "You are not root and there is no sudo."
        return 1
    fi
}

install_packages() {
    [ -n "$needed$wanted" ] || return 0
    if ! apt_usable; then
        say "Not installed:$needed$wanted"
        [ -z "$needed" ] || { say "Install$needed and try again."; exit 1; }
        return 0
    fi
    say "Installing system packages with apt-get:$needed$wanted"
    apt update || say "The package lists could not be renewed; trying with those that are there."
    if [ -n "$needed" ]; then
        # shellcheck disable=SC2086  # a list of words
        apt install -y --no-install-recommends $needed
    fi
    for package in $wanted; do
        apt install -y --no-install-recommends "$package" ||
            say "$package is not to be had; tests that compare with it are skipped."
    done
}

install_azurite() {
    if ! has npm; then
        say "npm is missing: install Node.js 20 or later (it runs Azurite, the emulator of Azure Storage)."
        exit 1
    fi
    # npm leaves this file when an installation is complete; an older one than the lock file is out of date
    if [ node_modules/.package-lock.json -nt package-lock.json ]; then
        return 0
    fi
    say "Installing Azurite $(sed -n 's/.*"azurite": "\(.*\)".*/\1/p' package.json) with npm into ./node_modules (about 370 MB)"
    npm ci --no-audit --no-fund --loglevel=error >&2
    touch node_modules/.package-lock.json
}

needed="" wanted=""
goal=${1:-}
case $goal in
build | demo | test) ;;
*) say "usage: scripts/install.sh build|demo|test"; exit 2 ;;
esac
if ! has cargo; then
    say "cargo is missing: install Rust (1.95 or later) first."
    exit 1
fi
need cc "gcc libc6-dev"
if [ "$goal" != build ]; then
    need xz xz-utils
fi
if [ "$goal" = test ]; then
    want ntfscat ntfs-3g
    want dislocker-file dislocker
fi
install_packages
if [ "$goal" = test ]; then
    install_azurite
fi
