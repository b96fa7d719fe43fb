#!/bin/sh
# Replays the test clip with the wheel in an emulated 64-bit Raspberry Pi 4. See README.md here.
# Usage, as root: arm64.sh WHEEL FOLDER
#   WHEEL   what `make wheel` made
#   FOLDER  where the Debian 12 for arm64 is, or will be made
set -eu
wheel=$1
chroot=$2
here=$(cd "$(dirname "$0")" && pwd)
data=$(cd "${EDGE_TEST_DATA:-$here/../../../shared/data}" && pwd)
python=/opt/edge-runtime/bin/python

for command in debootstrap qemu-aarch64-static; do
    command -v "$command" >/dev/null ||
        { echo "needed: apt-get install debootstrap qemu-user-static binfmt-support" >&2; exit 1; }
done

if [ ! -x "$chroot/usr/bin/python3" ]; then
    debootstrap --arch=arm64 --variant=minbase --include=python3,python3-venv,ca-certificates \
        bookworm "$chroot"
fi
# A network with its own certificates or package index is the chroot's, too.
cp -L /etc/resolv.conf "$chroot/etc/resolv.conf"
cp -L /etc/ssl/certs/ca-certificates.crt "$chroot/etc/ssl/certs/"
[ ! -f /etc/pip.conf ] || cp -L /etc/pip.conf "$chroot/etc/pip.conf"

mounted=""
mount_into() {
    mount --bind "$1" "$chroot$2"
    mounted="$chroot$2 $mounted"
}
# shellcheck disable=SC2086  # a list of words is meant
trap 'for place in $mounted; do umount "$place"; done' EXIT
mount_into /dev /dev
mount_into /proc /proc
# Without a processor that it knows, XNNPACK chooses kernels that crash.
mount_into "$here/raspberry_pi_4.cpuinfo" /proc/cpuinfo
mount_into "$data" /mnt

[ -x "$chroot$python" ] || chroot "$chroot" python3 -m venv /opt/edge-runtime
cp "$wheel" "$chroot/tmp/"
chroot "$chroot" "$python" -m pip install --quiet --force-reinstall --no-deps \
    "/tmp/$(basename "$wheel")"
chroot "$chroot" "$python" -m pip install --quiet --only-binary :all: "/tmp/$(basename "$wheel")"
chroot "$chroot" /opt/edge-runtime/bin/edge-runtime replay /mnt/clips/one-by-one-person-detection.mp4 \
    --model /mnt/models/ssd_mobilenet_v1_coco_quant_300.tflite \
    --labels /mnt/labels/coco_labels.txt --presence person=1.0 --fps 2 \
    --start 2026-11-23T22:00:00Z --json
