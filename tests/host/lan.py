# SPDX-License-Identifier: LGPL-2.1-or-later
"""Hosts on a common network: guests of atmhost.py whose “host0” is plugged into one bridge.

The bridge is in a network namespace that ends with the test program, and nothing of it is seen on the build machine. A
guest gets a new cable at each boot. There is no router and no name server.
"""

import atexit
import os
import subprocess

import atmhost
from atmhost import Failure, Guest

BRIDGE = "lan"
ADDRESS_UNIT = """[Unit]
Description=Address on the network of the tests
Wants=network.target
Before=network.target network-online.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=ip address add %s/24 dev host0
ExecStart=ip link set host0 up
"""


class Network:
    """The bridge, held by a process that does nothing else."""

    def __init__(self):
        self.holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c",
             "ip link add %s type bridge && ip link set %s up && echo up && exec sleep infinity" % (BRIDGE, BRIDGE)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, preexec_fn=atmhost.die_with_parent)
        atexit.register(self.holder.kill)
        if self.holder.stdout.readline() != b"up\n":
            raise Failure("a network namespace with a bridge cannot be made")
        self.enter = ["nsenter", "--net=/proc/%d/ns/net" % self.holder.pid]


def network():
    if not hasattr(network, "only"):
        network.only = Network()
    return network.only


class Host(Guest):
    """A guest with the address 10.99.0.NUMBER, and docker's storage on a real file system."""

    def __init__(self, program=True, number=1):
        self.address = "10.99.0.%d" % number
        self.prefix = network().enter
        super().__init__(program)
        storage = os.path.join(self.dir, "docker")
        os.mkdir(storage)
        self.options = ["--network-bridge=" + BRIDGE, "--bind=%s:/var/lib/docker" % storage]
        self.write("/etc/systemd/system/address.service", ADDRESS_UNIT % self.address)
        for target in ("multi-user", "network-online"):
            wants = self.path("/etc/systemd/system/%s.target.wants" % target)
            os.makedirs(wants, exist_ok=True)
            os.symlink("../address.service", os.path.join(wants, "address.service"))


def main():
    atmhost.main(Host)
