# SPDX-License-Identifier: LGPL-2.1-or-later
"""Power cuts: a disk that remembers every write and every flush, and what it may hold when the power goes.

`record-disk` (tests/fixtures/record-disk.c) offers the disk as a file. A loop device or a virtual machine uses it and hands
its flushes through as fsync. After a cut there is on such a disk what was written before the last flush that was answered,
and any part of what was written since: nothing, all, some of the writes, or a half of one.
"""

import fcntl
import os
import random
import shutil
import stat
import struct
import subprocess
import time
import uuid

from atmhost import *   # noqa: F403
from atmhost import TOP, die_with_parent, sh

SECTOR = 4096       # what a disk writes whole; of smaller pieces ext4 would lose its superblock
DISK_MB = 1024      # sparse; of which libostree wants 500 to stay free
INODES = 8192       # no more than that: their tables are copied for every cut
JOURNAL_MB = 4
HEADER = struct.Struct("=IIQ")

LOOP_CTL_GET_FREE, LOOP_CONFIGURE, LOOP_CLR_FD = 0x4C82, 0x4C0A, 0x4C01
LO_FLAGS_AUTOCLEAR = 4
LOOP_CONFIG_BYTES, LOOP_FLAGS_AT = 304, 60   # struct loop_config of linux/loop.h


def build_fixture(name, target, *packages):
    """Compiles a program of tests/fixtures."""
    flags = sh("pkg-config", "--cflags", "--libs", *packages).split()
    sh("gcc", "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror", "-o", target,
       os.path.join(TOP, "tests/fixtures", name + ".c"), *flags)


# ---- loop devices ----------------------------------------------------------------------------------------------

class Loop:
    """A loop device on a file. It goes when nobody uses it any more: while this is open, or while it is mounted."""

    def __init__(self, path):
        with open("/dev/loop-control", "rb+", 0) as control, open(path, "rb+", 0) as backing:
            for _ in range(20):
                number = fcntl.ioctl(control, LOOP_CTL_GET_FREE)
                self.path = "/dev/loop%d" % number
                if not os.path.exists(self.path):
                    os.mknod(self.path, 0o600 | stat.S_IFBLK, os.makedev(7, number))
                self.fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
                config = bytearray(LOOP_CONFIG_BYTES)
                struct.pack_into("=I", config, 0, backing.fileno())
                struct.pack_into("=I", config, LOOP_FLAGS_AT, LO_FLAGS_AUTOCLEAR)
                try:
                    fcntl.ioctl(self.fd, LOOP_CONFIGURE, bytes(config))
                    self.number = os.fstat(self.fd).st_rdev
                    return
                except OSError as error:   # somebody else was faster
                    os.close(self.fd)
                    last = error
            raise Failure("no loop device for %s: %s" % (path, last))

    def attribute(self, name):
        with open("/sys/dev/block/%d:%d/%s" % (os.major(self.number), os.minor(self.number), name)) as f:
            return f.read().strip()

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# ---- the disk --------------------------------------------------------------------------------------------------

def make_disk(path, megabytes=DISK_MB):
    """An empty ext4 with a journal. Nothing of it is left for the kernel to initialise later."""
    with open(path, "wb") as f:
        f.truncate(megabytes << 20)
    sh("mkfs.ext4", "-q", "-F", "-b", "4096", "-N", str(INODES), "-J", "size=%d" % JOURNAL_MB,
       "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0", path)


def copy_disk(source, target):
    sh("cp", "--sparse=always", source, target)


class Recorder:
    """Serves a copy of `image` as self.disk, until stop(). It ends with this program, whatever way that ends."""

    def __init__(self, program, image, folder):
        self.folder, self.base = folder, image
        self.mountpoint = os.path.join(folder, "recorder")
        self.disk, self.log = os.path.join(self.mountpoint, "disk"), os.path.join(folder, "log")
        self.image = os.path.join(folder, "recorded")
        os.makedirs(self.mountpoint, exist_ok=True)
        if os.path.exists(self.log):
            os.unlink(self.log)
        copy_disk(image, self.image)
        self.process = subprocess.Popen([program, self.image, self.log, self.mountpoint], preexec_fn=die_with_parent,
                                        start_new_session=True)
        wait_until("record-disk serves", lambda: os.path.exists(self.disk) or self.process.poll() is not None)
        equal(self.process.poll(), None, "exit of record-disk")

    def mark(self, text):
        with open(os.path.join(self.mountpoint, "mark"), "wb", 0) as f:
            f.write(text.encode())

    def wait_for_writes(self, count, seconds):
        """Returns when `count` writes wait for a flush, or when the time is over."""
        deadline = time.monotonic() + seconds
        waiting = at = 0
        with open(self.log, "rb", 0) as f:
            while time.monotonic() < deadline:
                header = os.pread(f.fileno(), HEADER.size, at)
                if len(header) == HEADER.size:
                    kind, length, _ = HEADER.unpack(header)
                    at += HEADER.size + length
                    waiting = waiting + 1 if chr(kind) == "W" else 0
                elif waiting >= count:
                    return
                else:
                    time.sleep(0.0005)

    def stop(self):
        """Whoever uses the disk has let go of it."""
        if self.process is None:
            return
        sh("umount", self.mountpoint)
        equal(self.process.wait(30), 0, "exit of record-disk")
        self.process = None

    def abandon(self):
        """As stop(), whatever still uses the disk."""
        if self.process is not None:
            subprocess.call(["umount", "-l", self.mountpoint], stderr=subprocess.DEVNULL)
            self.process.kill()
            self.process.wait()
            self.process = None


# ---- what the disk may hold ------------------------------------------------------------------------------------

class Gap:
    """What is between two flushes: places of its writes in the log, and marks that were made since the first write."""

    def __init__(self, marks):
        self.writes, self.marks = [], list(marks)


def read_gaps(log):
    """The log as a list of Gap: a cut in the N-th leaves all writes of those before it, and any of its own."""
    gaps = [Gap([])]
    size = os.path.getsize(log)
    with open(log, "rb") as f:
        while f.tell() < size:
            kind, length, offset = HEADER.unpack(f.read(HEADER.size))
            if chr(kind) == "F":
                gaps.append(Gap(gaps[-1].marks))
            elif chr(kind) == "M":
                gaps[-1].marks.append(f.read(length).decode())
            else:
                gaps[-1].writes.append((f.tell(), length, offset))
                f.seek(length, os.SEEK_CUR)
    return gaps


class Cut:
    """One state: all of the gaps before `gap`, and of its writes the `kept` ones, as (index, bytes)."""

    def __init__(self, gap, marks, kept, what):
        self.gap, self.marks, self.kept, self.what = gap, marks, kept, what

    def __str__(self):
        return "cut after flush %d%s" % (self.gap, self.what and ", " + self.what)


def torn(length, rng):
    """A part of a write, in whole sectors; not all of it."""
    return rng.randrange(length // SECTOR) * SECTOR if length > SECTOR else 0


def find_cuts(gaps, rng, subsets=1):
    """The states to try, in order: at each flush; with the first of the writes that followed, the last of them torn; with
    any `subsets` of them."""
    cuts = []
    for number, gap in enumerate(gaps):
        if number == 0 or gaps[number - 1].writes or gap.marks != gaps[number - 1].marks:
            cuts.append(Cut(number, gap.marks, [], ""))
        if not gap.writes:
            continue
        lengths = [length for _, length, _ in gap.writes]
        last = rng.randrange(len(lengths))
        kept = [(i, lengths[i]) for i in range(last)] + [(last, torn(lengths[last], rng))]
        cuts.append(Cut(number, gap.marks, kept, "%d writes later, the last one torn" % (last + 1)))
        for _ in range(subsets if len(lengths) > 1 else 0):
            kept = [(i, lengths[i]) for i in range(len(lengths)) if rng.random() < 0.5]
            cuts.append(Cut(number, gap.marks, kept, "with %d of %d later writes" % (len(kept), len(lengths))))
    return cuts


class Replay:
    """Makes the images of cuts, which must come in their order."""

    def __init__(self, base, log, gaps, folder):
        self.log, self.gaps = open(log, "rb"), gaps
        self.durable, self.trial = os.path.join(folder, "durable"), os.path.join(folder, "trial")
        self.done = 0
        copy_disk(base, self.durable)

    def _apply(self, image, writes):
        with open(image, "rb+") as f:
            for at, length, offset in writes:
                self.log.seek(at)
                f.seek(offset)
                f.write(self.log.read(length))

    def image(self, cut):
        """The path of an image that may be changed; it is good until the next one is asked for."""
        while self.done < cut.gap:
            self._apply(self.durable, self.gaps[self.done].writes)
            self.done += 1
        copy_disk(self.durable, self.trial)
        writes = [(self.gaps[cut.gap].writes[i], length) for i, length in cut.kept]
        self._apply(self.trial, [(at, length, offset) for (at, _, offset), length in writes])
        return self.trial

    def close(self):
        self.log.close()
        for path in (self.durable, self.trial):
            if os.path.exists(path):
                os.unlink(path)


# ---- a guest on such a disk ------------------------------------------------------------------------------------

# On the disk, and where the guest has it: all that atomic writes but what is gone with the power anyway. One file
# system, as on a host that has one.
FOLDERS = {"containers": "/var/lib/containers", "etc": "/etc", "local": "/usr/local", "state": "/var/lib/hello"}
PLACE = "/disk"
DEVICE = "/dev/disk-loop"
BOOT_ID = "/run/test-boot-id"


def release(version):
    """The layout of a hello that says which version it is: in its greeting, in its unit and in a file for the host."""
    folder = os.path.join(scratch(), "release-%s" % version)
    target = folder + "-layout"
    if os.path.isdir(target):
        return target
    source = os.path.join(TOP, "data", "images", "hello")
    shutil.copytree(os.path.join(source, "exports"), folder + "/exports")
    os.makedirs(folder + "/usr/bin")
    os.makedirs(folder + "/exports/hostfs/usr/local/bin")
    for name, text in (("usr/bin/run.sh", open(source + "/run.sh").read().replace("$RECEIVER", "version %s" % version)),
                       ("exports/hostfs/usr/local/bin/helloctl", "#!/bin/sh\necho version %s\n" % version)):
        with open(os.path.join(folder, name), "w") as f:
            f.write(text)
        os.chmod(f.name, 0o755)
    with open(folder + "/exports/service.template", "a") as f:
        f.write("# version %s\n" % version)
    argv = []
    for number, layer in enumerate(layout_manifest(reference("hello"))[1]["layers"]):
        tar = "%s-%d.tar" % (folder, number)
        with open(tar, "wb") as f:
            subprocess.run(["gzip", "-dc", os.path.join(reference("hello"), "blobs", *layer["digest"].split(":"))],
                           stdout=f, check=True)
        argv += ["--layer", tar]
    return compose(os.path.basename(target), *argv, "--layer", folder, "--entrypoint", "/usr/bin/run.sh", "--tag", "latest")


class DiskGuest(Guest):
    """A booted guest whose files of atomic are on a disk that is attached and detached while it runs. Leaving `with` takes
    the disk away, the guest stays for the next test."""

    def __init__(self, program=True):
        self.attached = self.recorder = self.replay = self.last_registry = None
        self.work, self.closed = "", False
        super().__init__(program)
        self.work = os.path.join(self.dir, "disks")
        os.mkdir(self.work)
        sh("mount", "-t", "tmpfs", "-o", "size=2g", "tmpfs", self.work)

    def boot(self):
        """With an empty disk, whatever was on the one before."""
        if self.init is None:
            for program in ("mkfs.ext4", "e2fsck"):
                if shutil.which(program) is None:
                    raise Skip(program + " is not installed")
            if not os.path.exists("/dev/fuse"):
                raise Skip("no /dev/fuse")
            super().boot()
            build_fixture("record-disk", self.work + "/record-disk", "fuse3")
            build_fixture("fault", self.work + "/fault", "glib-2.0", "libseccomp")
            self.copy_in(self.work + "/fault", "/usr/sbin/fault")
            # nspawn has mounted a file there that is deleted; on such a one nothing can be mounted.
            self.ok("touch {0}; umount {1}; mount --bind {0} {1}".format(BOOT_ID, "/proc/sys/kernel/random/boot_id"))
            self.ok(["mkdir", "-p", PLACE, *FOLDERS.values()])
        make_disk(self.work + "/base")
        self.attach(self.work + "/base", fill=True)
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.detach()
        else:
            self.close()   # who knows in which state it is

    def registry(self, tls=False):
        if self.last_registry is None:
            super().registry(tls)
        return self.last_registry

    def _place(self, parts):
        # While a disk is attached, the guest's own view of its root.
        if self.attached and self.init:
            return os.path.join("/proc/%d/root" % self.init, *parts)
        return super()._place(parts)

    def attach(self, image, fill=False):
        """Mounts the disk, which lets the file system recover; then it is as after a boot."""
        # Whoever keeps something for the time of a boot sees another one.
        self.boot_id = str(uuid.uuid4())
        with Loop(image) as loop:
            # record-disk is worth nothing if the kernel believes that there is no cache to be flushed.
            equal(loop.attribute("queue/write_cache"), "write back", "cache of " + loop.path)
            script = ["set -e", "rm -f " + DEVICE,
                      "mknod %s b %d %d" % (DEVICE, os.major(loop.number), os.minor(loop.number)),
                      "mount -t ext4 %s %s" % (DEVICE, PLACE)]
            for name, path in FOLDERS.items():
                if fill:
                    script.append("cp -a --no-target-directory %s %s/%s" % (path, PLACE, name))
                script.append("mount --bind %s/%s %s" % (PLACE, name, path))
            self.ok("\n".join(script + ["echo %s >%s" % (self.boot_id, BOOT_ID), "systemctl daemon-reload"]))
        self.attached = image

    def detach(self):
        self.run("systemctl stop hello; systemctl reset-failed")
        self.ok("umount %s %s" % (" ".join(reversed(FOLDERS.values())), PLACE))
        self.attached = None

    # -- one verb, recorded

    def record(self, argv, step):
        """Runs a command on the disk, which is a recorded one from here on, and returns its result. With `step` the
        file system's journal is written before each call of the command that changes something."""
        base = self.attached
        self.detach()
        self.recorder = Recorder(self.work + "/record-disk", base, self.work)
        self.attach(self.recorder.disk)
        self.ok("systemctl start multi-user.target")
        # What the mount and the start changed is no matter of the command.
        self.ok(["sync", "-f", PLACE])
        self.recorder.mark("begin")
        result = self.run((["fault", "--sync", PLACE + "/tick"] if step else []) + list(argv), seconds=600)
        self.recorder.mark("end %d" % result.code)
        self.ok(["sync", "-f", PLACE])
        self.recorder.mark("synced")
        return result

    def stop_recording(self):
        """Returns the gaps of what was recorded."""
        self.detach()
        self.recorder.stop()
        return read_gaps(self.recorder.log)

    def cuts(self, gaps, chosen):
        """For each chosen cut: attaches the disk, yields the cut, detaches."""
        self.replay = Replay(self.recorder.base, self.recorder.log, gaps, self.work)
        for cut in chosen:
            image = self.replay.image(cut)
            self.attach(image)
            yield cut
            self.detach()
            # A file system that is damaged is no finding about atomic: the recording is wrong then.
            sh("e2fsck", "-fn", image)
        self.replay.close()

    def keep_cut(self, cut, name):
        """Keeps the image of a cut as it is before it is mounted, if anything is to be kept."""
        if os.environ.get("ATOMIC_TEST_KEEP"):
            self.detach()
            copy_disk(self.replay.image(cut), os.path.join(self.dir, name))
            copy_disk(self.recorder.log, os.path.join(self.dir, name + ".log"))

    def close(self):
        self.closed = True
        if self.recorder is not None:
            self.cut()
            self.recorder.abandon()
        if os.path.ismount(self.work):
            subprocess.call(["umount", "-l", self.work])
        super().close()
