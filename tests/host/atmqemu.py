# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest with a kernel of its own: the tree of atmhost.py under QEMU with Debian's kernel, so with unified cgroups whatever
the build machine has.

The kernel is a package of the machine's mirror that is unpacked, not installed. Emulation is slow (a boot takes about half a
minute): one Machine serves all tests of a file, and leaving it (`with`) removes what the test installed.
"""

import glob
import os
import shlex
import shutil
import socket
import subprocess
import tempfile

from atmhost import *   # noqa: F403
from atmhost import BOOT_SECONDS, CACHE, STOP_SECONDS, die_with_parent, locked, sh

KERNEL_PACKAGE = "linux-image-cloud-amd64"
DRIVERS = ["virtio_pci", "virtio_blk", "virtio_console"]   # ext4 is built in
PROGRAMS = ["qemu-system-x86_64", "mkfs.ext4", "cpio", "busybox", "dpkg-deb"]
MEMORY_MB = 1024
DISK_MB = 2048
BOOT_FACTOR = 3   # how much longer than a container an emulated guest may take

INITRD_INIT = """#!/bin/busybox sh
export PATH=/bin
busybox mkdir -p /proc /sys /dev /root
busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
busybox mount -t devtmpfs devtmpfs /dev
for driver in %s; do
    busybox modprobe "$driver" || busybox echo "no driver $driver"
done
busybox mount -t ext4 /dev/vda /root || busybox poweroff -f
busybox umount /sys /proc
busybox mount --move /dev /root/dev
exec busybox switch_root /root /sbin/init
"""

# Commands arrive on a port and not on a serial line: no terminal changes their bytes.
AGENT = """#!/bin/sh
# For each line “SCRIPT-BYTES STDIN-BYTES SECONDS” and what follows it: runs the script, answers
# “STATUS STDOUT-BYTES STDERR-BYTES” and both.
mkdir -p /run/test-agent && cd /run/test-agent || exit 1
exec 3<>"$(echo /dev/vport*p1)" || exit 1
while read -r script stdin seconds <&3; do
    head -c "$script" <&3 >script
    head -c "$stdin" <&3 >stdin
    (cd / && exec timeout -k 5 "$seconds" sh /run/test-agent/script) <stdin >out 2>err 3>&-
    echo "$? $(stat -c %s out) $(stat -c %s err)" >&3
    cat out err >&3
done
"""
AGENT_UNIT = """[Service]
ExecStart=/usr/local/sbin/test-agent
Environment=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C LC_ALL=C TERM=dumb
[Install]
WantedBy=multi-user.target
"""


def kernel():
    """(vmlinuz, initrd) of the mirror's current kernel; unpacked once."""
    missing = [p for p in PROGRAMS if shutil.which(p) is None]
    if missing:
        raise Skip(", ".join(missing) + ": not installed")
    if os.uname().machine != "x86_64":
        raise Skip("the kernel package is for amd64")
    names = [w for w in sh("apt-cache", "depends", "--important", KERNEL_PACKAGE).split() if w.startswith("linux-image-")]
    if len(names) < 2:
        raise Skip("the apt sources of this machine have no " + KERNEL_PACKAGE)
    version = sh("apt-cache", "show", "--no-all-versions", names[1])
    version = re.search(r"(?m)^Version: (\S+)", version).group(1)
    done = os.path.join(CACHE, "kernel-%s-%s" % (version, hashlib.sha256(
        (names[1] + INITRD_INIT + repr(DRIVERS)).encode()).hexdigest()[:16]))
    with locked(os.path.join(CACHE, "kernel.lock")):
        if not os.path.isdir(done):
            with tempfile.TemporaryDirectory(prefix="atomic-kernel-") as work:
                unpack_kernel(names[1], work)
                shutil.rmtree(done + ".partial", True)
                os.mkdir(done + ".partial")
                for name in ("vmlinuz", "initrd"):
                    shutil.copyfile(os.path.join(work, name), os.path.join(done + ".partial", name))
                os.rename(done + ".partial", done)
    return os.path.join(done, "vmlinuz"), os.path.join(done, "initrd")


def unpack_kernel(package, work):
    sh("apt-get", "download", package, cwd=work)
    tree, initrd = os.path.join(work, "tree"), os.path.join(work, "initrd.d")
    sh("dpkg-deb", "-x", *glob.glob(os.path.join(work, "*.deb")), tree)
    release = os.listdir(os.path.join(tree, "lib", "modules"))[0]
    shutil.copyfile(os.path.join(tree, "boot", "vmlinuz-" + release), os.path.join(work, "vmlinuz"))
    sh("busybox", "depmod", "-b", tree, release)
    modules = os.path.join(tree, "lib", "modules", release)
    needs = {}
    with open(os.path.join(modules, "modules.dep")) as f:
        for line in f:
            path, others = line.split(":")
            needs[os.path.basename(path).split(".ko")[0].replace("-", "_")] = [path] + others.split()
    wanted = {path for driver in DRIVERS for path in needs.get(driver, [])}   # others are built in
    os.makedirs(os.path.join(initrd, "bin"))
    shutil.copy2(shutil.which("busybox"), os.path.join(initrd, "bin", "busybox"))
    for path in wanted:
        target = os.path.join(initrd, "lib", "modules", release, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copyfile(os.path.join(modules, path), target)
    sh("busybox", "depmod", "-b", initrd, release)
    with open(os.path.join(initrd, "init"), "w") as f:
        f.write(INITRD_INIT % " ".join(DRIVERS))
    os.chmod(os.path.join(initrd, "init"), 0o755)
    os.makedirs(os.path.join(initrd, "dev"))
    os.mknod(os.path.join(initrd, "dev", "console"), 0o600 | 0o20000, os.makedev(5, 1))
    sh("sh", "-c", "cd \"$1\" && find . | cpio --quiet -o -H newc > ../initrd", "sh", initrd)


class Machine(Guest):
    """A Guest that is booted once by QEMU; leaving `with` cleans it, close() switches it off."""

    # Nothing has to outlive the machine.
    mkfs_options = ["-O", "^has_journal", "-E", "lazy_itable_init=1"]
    drive_options = "cache=unsafe,discard=unmap"

    def __init__(self, program=True):
        self.kernel = kernel()
        self.qemu = self.agent = None
        super().__init__(program)
        self.disk = os.path.join(self.dir, "disk")

    def boot(self):
        if self.qemu is not None:
            return self
        self._make_disk()
        self.launch()
        # The first answer comes when the agent runs; what systemd still starts then is waited for.
        self.run("systemctl is-system-running --wait", seconds=BOOT_SECONDS * BOOT_FACTOR, slack=BOOT_SECONDS * BOOT_FACTOR)
        self.init = self.qemu.pid
        self.boots += 1
        return self

    def launch(self):
        """Switches the machine on, and waits for nothing."""
        listener, path = socket.socket(socket.AF_UNIX), os.path.join(scratch(), "agent")
        listener.bind(path)
        listener.listen(1)
        self.qemu = subprocess.Popen(
            ["qemu-system-x86_64", "-machine", "q35,accel=tcg", "-cpu", "max", "-smp", "1", "-m", str(MEMORY_MB),
             "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-nic", "none",
             "-kernel", self.kernel[0], "-initrd", self.kernel[1],
             "-append", "console=ttyS0 panic=-1 quiet systemd.show_status=no systemd.log_target=journal mitigations=off",
             "-serial", "stdio", "-drive", "if=virtio,format=raw,%s,file=%s" % (self.drive_options, self.disk),
             "-device", "virtio-serial-pci", "-chardev", "socket,id=agent,path=" + path,
             "-device", "virtserialport,nr=1,chardev=agent"],
            stdin=subprocess.DEVNULL, stdout=open(self.console, "ab"), stderr=subprocess.STDOUT,
            start_new_session=True, preexec_fn=die_with_parent)
        listener.settimeout(STOP_SECONDS)
        self.agent = listener.accept()[0]
        listener.close()
        os.unlink(path)

    def _make_disk(self):
        self.write("/usr/local/sbin/test-agent", AGENT, 0o755)
        self.write("/etc/systemd/system/test-agent.service", AGENT_UNIT)
        for folder, names in (("multi-user.target.wants", {"test-agent.service": "../test-agent.service"}),
                              (".", {"getty.target": "/dev/null", "serial-getty@.service": "/dev/null"})):
            os.makedirs(os.path.join(self.root, "etc/systemd/system", folder), exist_ok=True)
            for name, target in names.items():
                os.symlink(target, os.path.join(self.root, "etc/systemd/system", folder, name))
        os.makedirs(os.path.join(self.root, "var/lib/containers"), exist_ok=True)
        with open(self.disk, "wb") as f:
            f.truncate(DISK_MB << 20)
        sh("mkfs.ext4", "-q", "-F", *self.mkfs_options, "-d", self.root, self.disk)

    # -- commands

    def spawn(self, argv, **kwargs):
        raise Failure("one command at a time")

    def run(self, argv, seconds=120, stdin=None, slack=30):
        script = argv if isinstance(argv, str) else "exec " + " ".join(map(shlex.quote, argv))
        code, out, err = self._ask(script, stdin.encode() if isinstance(stdin, str) else stdin or b"", seconds, slack)
        if code in (124, 137):
            raise Failure("not within %d s: %s\n%s" % (seconds, argv, (out + err).decode("utf-8", "replace")))
        return Result(argv, code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))

    def _ask(self, script, stdin, seconds, slack=30):
        if self.agent is None:
            raise Failure("the guest is gone")
        self.agent.settimeout(seconds + slack)
        script = script.encode()
        try:
            self.agent.sendall(b"%d %d %d\n" % (len(script), len(stdin), seconds) + script + stdin)
            head = b""
            while not head.endswith(b"\n"):
                head += self._receive(1)
            code, out, err = map(int, head.split())
            return code, self._receive(out), self._receive(err)
        except OSError as error:
            self.agent.close()
            self.agent = None   # an answer that comes late would be taken for the next one
            raise Failure("the guest does not answer (%s):\n%s\n%s" % (error, script.decode(), self._console_tail()))

    def _receive(self, count):
        data = b""
        while len(data) < count:
            more = self.agent.recv(min(count - len(data), 1 << 16))
            if not more:
                raise ConnectionError("QEMU has ended")
            data += more
        return data

    # -- files: before the boot in the tree, then inside

    def read(self, path):
        if self.qemu is None:
            return super().read(path)
        return self.ok(["cat", path]).out

    def write(self, path, content, mode=0o644):
        if self.qemu is None:
            return super().write(path, content, mode)
        self.ok("mkdir -p %s && cat > %s && chmod %o %s" % (shlex.quote(os.path.dirname(path)), shlex.quote(path), mode,
                                                            shlex.quote(path)), stdin=content)

    def exists(self, path):
        if self.qemu is None:
            return super().exists(path)
        return self.run("test -e %s -o -L %s" % (shlex.quote(path), shlex.quote(path))).code == 0

    def listdir(self, path):
        if self.qemu is None:
            return super().listdir(path)
        return sorted(self.run(["ls", "-A", path]).out.split("\n")[:-1])

    def copy_in(self, source, path):
        if self.qemu is None:
            return super().copy_in(source, path)
        folder = source if os.path.isdir(source) else os.path.dirname(source)
        pack = subprocess.run(["tar", "-C", folder, "-cf", "-", "." if folder == source else os.path.basename(source)],
                              stdout=subprocess.PIPE, check=True)
        target = path if folder == source else os.path.dirname(path)
        self.ok("mkdir -p %s && tar -C %s --no-same-owner -xf -" % (shlex.quote(target), shlex.quote(target)),
                stdin=pack.stdout)

    # -- the end

    def clean(self):
        """Removes every container, so that the next test starts with none."""
        for name in json.loads(self.ok("atomic containers list --all --json").out or "[]"):
            self.run("systemctl revert {0}; atomic uninstall {0}; rm -rf /var/lib/{0} /etc/systemd/system/{0}.service.d"
                     .format(name["name"]))

    def cut(self):
        if self.qemu is None:
            return
        self.qemu.kill()
        self.qemu.wait()
        self.qemu = self.init = None

    power_off = cut

    def reboot(self):
        raise Failure("this guest boots once")

    def __exit__(self, kind, *_):
        if self.agent is not None and (kind is None or issubclass(kind, Exception)):
            self.clean()
