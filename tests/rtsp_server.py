"""Serves a clip over RTSP at its own pace; a process of its own, so that tests can kill it.

Run by the system's Python, which has the GStreamer bindings (python3-gi,
gir1.2-gst-rtsp-server-1.0): ``/usr/bin/python3 tests/rtsp_server.py CLIP --port 8554``. Every
client gets the clip from its start. It says "ready" when it listens.
"""

from __future__ import annotations

import argparse
import os
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

ROLE = "viewer"


def main() -> None:
    """Serve until killed."""
    arguments = parse()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(arguments.port))
    factory = GstRtspServer.RTSPMediaFactory()
    location = arguments.clip.replace("\\", "\\\\").replace('"', '\\"')
    factory.set_launch(
        f'( filesrc location="{location}" ! qtdemux ! h264parse ! '
        "rtph264pay name=pay0 config-interval=1 )"
    )
    if arguments.user is not None:
        ask_for_password(server, factory, arguments)
    server.get_mount_points().add_factory(arguments.path, factory)
    if server.attach(None) == 0:
        sys.exit(f"cannot listen on port {arguments.port}")
    os.write(1, b"ready\n")
    GLib.MainLoop().run()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", help="an MP4 file with H.264 in it")
    parser.add_argument("--port", type=int, default=8554)
    parser.add_argument("--path", default="/stream")
    parser.add_argument("--user")
    parser.add_argument("--password", default="")
    parser.add_argument("--digest", action="store_true", help="digest instead of basic")
    return parser.parse_args()


def ask_for_password(server, factory, arguments) -> None:
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", ROLE)
    if arguments.digest:
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(arguments.user, arguments.password, token)
    else:
        basic = GstRtspServer.RTSPAuth.make_basic(arguments.user, arguments.password)
        auth.add_basic(basic, token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_role(ROLE)
    for permission in ("media.factory.access", "media.factory.construct"):
        permissions.add_permission_for_role(ROLE, permission, True)
    factory.set_permissions(permissions)


if __name__ == "__main__":
    main()
