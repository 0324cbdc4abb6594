# SPDX-License-Identifier: LGPL-2.1-or-later
"""A small image in versions, with all that a container can put on a host, and what must be there of each.

Its service is tests/fixtures/ready.c. Each version has host files, a tmpfiles fragment and a unit of its own."""

import json
import os

from atmhost import *   # noqa: F403
from atmhost import CHECKOUT, TOP, Failure, compose, scratch, sh

NAME = "life"
NAMES = [NAME, "other"]   # that a container of the image may have
UNITS, TMPFILES, RECORDS = "/etc/systemd/system", "/etc/tmpfiles.d", CHECKOUT + "/.storage/containers"

UNIT = """[Unit]
Description=Version VERSION of $NAME
StartLimitIntervalSec=0
[Service]
Type=notify
NotifyAccess=all
WorkingDirectory=$DESTDIR
ExecStartPre=-$RUNTIME delete --force '$NAME'
ExecStart=$EXEC_START
ExecStop=-$EXEC_STOP
ExecStopPost=-$RUNTIME delete --force '$NAME'
KillMode=mixed
Delegate=yes
TimeoutStartSec=START_SECONDS
TimeoutStopSec=20
SuccessExitStatus=143
[Install]
WantedBy=multi-user.target
"""


def service():
    """The path of the program, built once."""
    path = os.path.join(scratch(), "ready")
    if not os.path.exists(path):
        sh("gcc", "-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-o", path,
           os.path.join(TOP, "tests/fixtures/ready.c"))
    return path


def config(arguments):
    with open(os.path.join(TOP, "data/images/hello/exports/config.json.template")) as f:
        node = json.loads(f.read().replace("$ADDTL_MOUNTS", ""))
    node["process"]["args"] = ["/ready"] + arguments
    node["process"]["env"] = []
    node["mounts"] = [mount for mount in node["mounts"] if mount["type"] != "bind" and mount["destination"] != "/run/www"]
    return json.dumps(node)


def host_files(version, name=NAME):
    """Host path to contents, of a version."""
    return {"/etc/%s/life.conf" % name: "version %s of %s\n" % (version, name),
            "/etc/%s/only-%s" % (name, version): "only %s\n" % version,
            "/etc/%s/always" % name: "the same in all\n"}


def tmpfiles(version, name=NAME):
    return "d /run/%s-%s 0755 - - -\n" % (name, version)


def layout(version, *arguments, start_seconds=60):
    """The layout of a version; `arguments` are those of its service."""
    entries = [{"path": "ready", "source": service(), "mode": "0755"}, {"path": "version", "content": version}]
    entries += [{"path": name, "type": "dir"} for name in ("proc", "dev", "sys", "tmp", "run")]
    exports = {
        "config.json.template": config(list(arguments)),
        "service.template": UNIT.replace("VERSION", version).replace("START_SECONDS", str(start_seconds)),
        "tmpfiles.template": tmpfiles(version, "$NAME"),
        "manifest.json": json.dumps({"renameFiles": {"/etc/life": "/etc/$NAME"},
                                     "installedFilesTemplate": ["/etc/%s/life.conf" % name for name in NAMES]}),
        "hostfs/etc/life/life.conf": "version %s of $NAME\n" % version,
        "hostfs/etc/life/only-" + version: "only %s\n" % version,
        "hostfs/etc/life/always": "the same in all\n",
    }
    entries += [{"path": "exports/" + path, "content": text} for path, text in exports.items()]
    return compose("life-" + version, "--layer", json.dumps(entries[:2]), "--layer", json.dumps(entries[2:]),
                   "--entrypoint", "/ready")


def bring(g, version, *arguments, **options):
    """Stores a version in the guest, as `life:VERSION` of a layout; returns how it is called."""
    path = "/srv/layouts/life-" + version
    g.copy_in(layout(version, *arguments, **options), path)
    name = "oci:%s:latest" % path
    g.atomic("pull", name)
    return name


def current(g, name=NAME):
    """The version that the link leads to; None: the container is not there."""
    link = g.path(CHECKOUT + "/" + name)
    if not os.path.islink(link):
        return None
    return g.read("%s/%s/rootfs/version" % (CHECKOUT, os.path.basename(os.readlink(link))))


def running(g, name=NAME):
    """The version whose process runs; None: none does."""
    if g.active(name) != "active":
        return None
    state = json.loads(g.ok(["runc", "state", name]).out)
    return g.ok(["cat", "/proc/%d/root/version" % state["pid"]]).out


def deployment_problems(g, folder, name):
    return ["%s/%s is missing" % (folder, part) for part in ("rootfs/ready", "config.json", "info", name + ".service",
                                                            "tmpfiles-%s.conf" % name)
            if not g.exists("%s/%s/%s" % (CHECKOUT, folder, part))]


def problems(g, version, name=NAME):
    """Why the host is not as it must be when `version` (None: nothing) is installed: sentences, best none."""
    unit, fragment = "%s/%s.service" % (UNITS, name), "%s/%s.conf" % (TMPFILES, name)
    wanted = dict(host_files(version, name)) if version else {}
    found = []

    def same(path, text):
        if text is None and g.exists(path):
            found.append(path + " is there")
        elif text is not None and not g.exists(path):
            found.append(path + " is missing")
        elif text is not None and g.read(path) != text:
            found.append("%s is %r" % (path, g.read(path)))

    if version:
        folder = os.path.basename(os.readlink(g.path(CHECKOUT + "/" + name)))
        found += deployment_problems(g, folder, name)
        other = "%s.%d" % (name, 1 - int(folder[-1]))
        if g.exists(CHECKOUT + "/" + other):
            found += deployment_problems(g, other, name)
        if not found:
            same(unit, g.read("%s/%s/%s.service" % (CHECKOUT, folder, name)))
            same(fragment, g.read("%s/%s/tmpfiles-%s.conf" % (CHECKOUT, folder, name)))
            if "Description=Version %s of" % version not in g.read(unit):
                found.append("the unit is of another version")
    else:
        same(unit, None)
        same(fragment, None)
        found += ["%s is there" % n for n in g.listdir(CHECKOUT) if n.startswith(name + ".") or n == name]
        same(RECORDS + "/" + name, None)
    if g.exists("%s/multi-user.target.wants/%s.service" % (UNITS, name)) != bool(version):
        found.append("enabled: %s" % (not version))
    for path in {p for v in ("1", "2", "3") for p in host_files(v, name)}:
        same(path, wanted.get(path))
    return found + left_overs(g)


def left_overs(g):
    """What no command may leave, whatever became of it."""
    found = ["%s/%s" % (CHECKOUT, n) for n in g.listdir(CHECKOUT) if n.startswith(".") and n != ".storage"]
    found += ["%s/.storage/journal/%s" % (CHECKOUT, n) for n in g.listdir(CHECKOUT + "/.storage/journal")]
    found += ["%s/%s" % (folder, n) for folder in (UNITS, TMPFILES, RECORDS, "/etc/" + NAME) for n in g.listdir(folder)
              if n.startswith(".")]
    found += ["%s/tmp/%s" % (REPO, n) for n in g.listdir(REPO + "/tmp")
              if n != "cache" and not n.startswith("staging-")]
    return ["left: " + path for path in found]


def must_be(g, version, name=NAME):
    found = problems(g, version, name)
    if found:
        raise Failure("with version %s installed: %s" % (version, "; ".join(found)))
