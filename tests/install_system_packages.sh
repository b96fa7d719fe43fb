#!/bin/sh
# What the tests need beside Python: a real broker, a real RTSP server, a C compiler, systemd's own
# checks, what MediaPipe links with, a real browser, a real PostgreSQL. Installs what is missing, as
# root; tells others what to ask for.
set -eu

packages="mosquitto mosquitto-clients gcc libc6-dev systemd python3-gi gir1.2-gst-rtsp-server-1.0
 gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
 libegl1 libgles2 chromium postgresql"

missing=""
for package in $packages; do
    dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null |
        grep -qx installed || missing="$missing $package"
done
[ -z "$missing" ] && exit 0

if [ "$(id -u)" -ne 0 ]; then
    echo "the tests need these packages, installed by root: apt-get install$missing" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086  # a list of words is meant
apt-get install -y -qq --no-install-recommends $missing >/dev/null
