# SPDX-License-Identifier: LGPL-2.1-or-later
"""A throw-away host with systemd as PID 1, for tests of the built program.

DESIGN.md section 8: a Debian tree is built once and cached, every guest is an overlay of it, booted with
systemd-nspawn on a private network. Test files import this module, decorate functions with @test and call main().

Environment:
  ATOMIC_DESTDIR     staging tree of `make install DESTDIR=...`; tests of the program are skipped without it
  ATOMIC_TEST_CACHE  where trees and images are kept (default /var/cache/atomic-tests)
  ATOMIC_TEST_KEEP   when set, the folder of a guest is left for inspection
"""

import atexit
import contextlib
import ctypes
import fcntl
import functools
import glob
import hashlib
import importlib.machinery
import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
IMAGE_TOOLS = os.path.join(TOP, "tests", "fixtures", "image")
CACHE = os.environ.get("ATOMIC_TEST_CACHE", "/var/cache/atomic-tests")
DESTDIR = os.environ.get("ATOMIC_DESTDIR", "")

CHECKOUT = "/var/lib/containers/atomic"
REPO = CHECKOUT + "/.storage/ostree"

SUITE = "bookworm"
BASE_PACKAGES = ["systemd", "systemd-sysv", "dbus"]
PACKAGES = """
    ca-certificates crun curl docker-registry etcd-client glib-networking gnupg iproute2 jq libarchive13
    libglib2.0-0 libgpgme11 libisal2 libjson-glib-1.0-0 libostree-1-1 libsoup-3.0-0 libstdc++6 libsystemd0
    libtomlplusplus3 libyaml-0-2 libzstd1 openssl ostree procps runc strace
""".split()

# Nothing that a package brings may start by itself, and nothing may wait for a network that is not there.
MASKED = """
    apt-daily.timer apt-daily-upgrade.timer console-getty.service docker-registry.service dpkg-db-backup.timer
    e2scrub_all.timer e2scrub_reap.service getty@.service systemd-firstboot.service systemd-networkd.service
    systemd-resolved.service systemd-timesyncd.service
""".split()

# Started instead of systemd. nspawn mounts the controllers of cgroup v1 read-only; made writable after the boot
# runtimes work, but systemd has given the controllers up by then and MemoryMax= does nothing.
TEST_INIT = """#!/bin/sh
for mount in /sys/fs/cgroup /sys/fs/cgroup/*; do
    if [ -d "$mount" ] && [ ! -L "$mount" ]; then
        mount -o bind,remount,rw "$mount" 2>/dev/null
    fi
done
ip link set lo up
exec setpriv --pdeathsig KILL /lib/systemd/systemd "$@"   # not longer than the nspawn that started it
"""

BOOT_SECONDS = 90
STOP_SECONDS = 60


class Failure(Exception):
    """A check that did not hold."""


class Skip(Exception):
    """This machine cannot run the test."""


def wait_until(what, condition, seconds=30, every=0.1):
    """Waits for condition() to be true and returns its value; fails by name after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure("not within %d s: %s" % (seconds, what() if callable(what) else what))
        time.sleep(every)


def sh(*argv, **kwargs):
    """Runs a program on the build machine; fails with its output when it fails."""
    result = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            **kwargs)
    if result.returncode != 0:
        raise Failure("%s: exit %d\n%s" % (" ".join(argv), result.returncode,
                                           (result.stdout + result.stderr).decode("utf-8", "replace")[-4000:]))
    return result.stdout.decode("utf-8", "replace")


# ---- where mounts live -----------------------------------------------------------------------------------------

def own_mount_namespace():
    """Runs this program again in a mount namespace of its own: whatever way it ends, its mounts end with it."""
    if os.environ.get("ATOMIC_TEST_NAMESPACE") == str(os.getpid()):
        return
    os.environ["ATOMIC_TEST_NAMESPACE"] = str(os.getpid())
    os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable] + sys.argv)


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)   # PR_SET_PDEATHSIG


# ---- the tree --------------------------------------------------------------------------------------------------

@functools.cache
def apt_mirror():
    """The machine's own mirror of the suite."""
    uris = sh("apt-get", "indextargets", "--format", "$(REPO_URI)", "Identifier: Packages", "Codename: " + SUITE)
    if not uris.split():
        raise Skip("the apt sources of this machine have no " + SUITE)
    return uris.split()[0].rstrip("/")


def apt_sources():
    names = ["/etc/apt/sources.list"] + sorted(glob.glob("/etc/apt/sources.list.d/*.list") +
                                               glob.glob("/etc/apt/sources.list.d/*.sources"))
    return {name: open(name, "rb").read() for name in names if os.path.exists(name)}


def tree_key():
    parts = [SUITE, apt_mirror(), BASE_PACKAGES, PACKAGES, MASKED,
             sorted((k, v.decode("utf-8", "replace")) for k, v in apt_sources().items())]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


@contextlib.contextmanager
def locked(path):
    with open(path, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def tree():
    """The path of the cached tree; builds it first when there is none."""
    if os.geteuid() != 0:
        raise Skip("needs root")
    for program in ("debootstrap", "systemd-nspawn", "nsenter", "unshare"):
        if shutil.which(program) is None:
            raise Skip(program + " is not installed")
    os.makedirs(CACHE, exist_ok=True)
    done = os.path.join(CACHE, "tree-" + tree_key())
    with locked(os.path.join(CACHE, "tree.lock")):
        if not os.path.isdir(done):
            for left in glob.glob(os.path.join(CACHE, "tree-*.partial")):
                shutil.rmtree(left)
            partial = done + ".partial"
            build_tree(partial)
            os.rename(partial, done)   # the name is what says "complete"
    return done


def build_tree(root):
    sys.stderr.write("# building the tree %s\n" % root)
    with open(os.path.join(CACHE, "tree.log"), "wb") as log:
        def run(*argv, **kwargs):
            if subprocess.call(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **kwargs) != 0:
                raise Failure("%s failed, see %s" % (" ".join(argv[:4]), log.name))

        def put(path, content, mode=0o644):
            with open(root + path, "wb") as f:
                f.write(content.encode() if isinstance(content, str) else content)
            os.chmod(root + path, mode)

        run("debootstrap", "--variant=minbase", "--include=" + ",".join(BASE_PACKAGES), SUITE, root, apt_mirror())
        if os.path.exists(root + "/etc/apt/sources.list"):
            os.unlink(root + "/etc/apt/sources.list")
        for name, content in apt_sources().items():
            put(name, content)
        put("/etc/apt/apt.conf.d/99build",
            "\n".join(line for line in sh("apt-config", "dump").splitlines()
                      if re.match(r"Acquire::(http|https|Check)[:-]", line)) +
            '\nAPT::Install-Recommends "false";\nDir::Cache::pkgcache "";\n')
        for name in ("/etc/hosts", "/etc/resolv.conf"):
            shutil.copyfile(name, root + name)
        put("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)
        env = dict(os.environ, DEBIAN_FRONTEND="noninteractive", LC_ALL="C")
        run("chroot", root, "apt-get", "update", env=env)
        run("chroot", root, "apt-get", "-y", "upgrade", env=env)
        run("chroot", root, "apt-get", "-y", "install", *PACKAGES, env=env)
        run("chroot", root, "apt-get", "clean")
        os.unlink(root + "/usr/sbin/policy-rc.d")
        for unit in MASKED:
            with contextlib.suppress(FileExistsError):
                os.symlink("/dev/null", root + "/etc/systemd/system/" + unit)
        for left in glob.glob(root + "/var/lib/apt/lists/*_Packages*"):
            os.unlink(left)
        put("/etc/resolv.conf", "")
        put("/etc/hosts", "127.0.0.1 localhost guest\n::1 localhost\n")
        put("/etc/hostname", "guest\n")
        put("/etc/machine-id", "")


# ---- a guest ---------------------------------------------------------------------------------------------------

def cgroup_mounts():
    """Mount points of the machine's cgroup hierarchies, v1 and v2."""
    mounts = []
    with open("/proc/self/mountinfo") as f:
        for line in f:
            left, right = line.split(" - ", 1)
            if right.split()[0] in ("cgroup", "cgroup2"):
                mounts.append(left.split()[4])
    return mounts


def remove_cgroup(path):
    """Removes a guest's cgroup; whoever is still in it belongs to the guest and goes first."""
    def members():
        found = []
        for folder, _, _ in os.walk(path):
            with contextlib.suppress(OSError):
                with open(os.path.join(folder, "cgroup.procs")) as f:
                    found += [int(pid) for pid in f.read().split()]
        return [pid for pid in found if pid not in (0, os.getpid())]

    for pid in members():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(Failure):
        wait_until("the cgroup is empty", lambda: not members(), 10)
    for folder, _, _ in os.walk(path, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(folder)


def machine_name(folder):
    return os.path.basename(folder).replace("_", "x").lower()


class Result:
    def __init__(self, argv, code, out, err):
        self.argv, self.code, self.out, self.err = argv, code, out, err

    def __str__(self):
        return "$ %s\nexit %d\n--- stdout\n%s--- stderr\n%s" % (
            self.argv if isinstance(self.argv, str) else " ".join(map(shlex.quote, self.argv)),
            self.code, self.out, self.err)


class Guest:
    prefix, options = [], []   # words before systemd-nspawn, and more words for it

    def __init__(self, program=True):
        self.program = program
        self.nspawn = self.init = None
        self.boots = 0
        base = tree()
        guests = os.path.join(CACHE, "guests")
        os.makedirs(guests, exist_ok=True)
        self._sweep(guests)
        self.dir = tempfile.mkdtemp(prefix="guest-", dir=guests)
        self.lock = open(os.path.join(self.dir, "lock"), "w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.machine = machine_name(self.dir)
        self.root = os.path.join(self.dir, "root")
        self.store = os.path.join(self.dir, "containers")
        self.console = os.path.join(self.dir, "console")
        self.cgroups = []
        for name in ("root", "upper", "work", "containers"):
            os.mkdir(os.path.join(self.dir, name))
        atexit.register(self.close)
        try:
            self._make_root(base)
        except BaseException:
            self.close()
            raise

    @staticmethod
    def _sweep(guests):
        """Removes what a killed run left: a folder whose lock nobody holds."""
        for left in glob.glob(os.path.join(guests, "guest-*")):
            if os.path.exists(os.path.join(left, "keep")):
                continue
            try:
                with open(os.path.join(left, "lock")) as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    machine = machine_name(left)
                    for mount in cgroup_mounts():
                        remove_cgroup(os.path.join(mount, machine))
                    with contextlib.suppress(OSError):
                        os.rmdir("/run/systemd/nspawn/propagate/" + machine)
                    shutil.rmtree(left, ignore_errors=True)
            except OSError:
                pass

    def _make_root(self, base):
        overlay = subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                                  "lowerdir=%s,upperdir=%s/upper,workdir=%s/work" % (base, self.dir, self.dir),
                                  self.root], stderr=subprocess.DEVNULL)
        self.overlay = overlay.returncode == 0
        if not self.overlay:
            sh("cp", "-a", "--reflink=auto", base + "/.", self.root)
        self.write("/etc/machine-id", uuid.uuid4().hex + "\n")
        self.write("/usr/local/sbin/test-init", TEST_INIT, 0o755)
        if self.program and DESTDIR:
            pack = subprocess.Popen(["tar", "-C", DESTDIR, "--owner=0", "--group=0", "-cf", "-", "."],
                                    stdout=subprocess.PIPE)
            sh_in = subprocess.run(["tar", "-C", self.root, "--keep-directory-symlink", "-xf", "-"],
                                   stdin=pack.stdout, stderr=subprocess.PIPE)
            if pack.wait() != 0 or sh_in.returncode != 0:
                raise Failure("copying %s into the guest: %s" % (DESTDIR, sh_in.stderr.decode()))

    # -- files, by the path the guest knows; links are followed inside the guest only

    def path(self, path, follow=False):
        """Where the build machine sees a file of the guest. Links on the way lead where they lead in the guest;
        a link at the end only when asked."""
        todo, done, links = [p for p in path.split("/") if p], [], 0
        while todo:
            part = todo.pop(0)
            if part in (".", ".."):
                done = done[:-1] if part == ".." else done
                continue
            place = self._place(done + [part])
            if os.path.islink(place) and (todo or follow):
                links += 1
                if links > 40:
                    raise Failure("too many links in " + path)
                target = os.readlink(place)
                done = [] if target.startswith("/") else done
                todo = [p for p in target.split("/") if p] + todo
            else:
                done.append(part)
        return self._place(done)

    def _place(self, parts):
        if parts[:3] == ["var", "lib", "containers"]:
            return os.path.join(self.store, *parts[3:])
        return os.path.join(self.root, *parts)

    def read(self, path):
        with open(self.path(path, follow=True), encoding="utf-8", errors="surrogateescape") as f:
            return f.read()

    def write(self, path, content, mode=0o644):
        name = self.path(path, follow=True)
        os.makedirs(os.path.dirname(name), exist_ok=True)
        with open(name, "wb") as f:
            f.write(content if isinstance(content, bytes) else content.encode())
        os.chmod(name, mode)

    def exists(self, path):
        return os.path.lexists(self.path(path))

    def listdir(self, path):
        try:
            return sorted(os.listdir(self.path(path, follow=True)))
        except FileNotFoundError:
            return []

    def copy_in(self, source, path):
        if os.path.isdir(source):
            shutil.copytree(source, self.path(path), symlinks=True, dirs_exist_ok=True)
        else:
            os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
            shutil.copy2(source, self.path(path))

    # -- boot and stop

    def _make_cgroups(self):
        """A cgroup per guest in each hierarchy, so that guests do not meet and nothing stays behind."""
        for mount in cgroup_mounts():
            path = os.path.join(mount, self.machine)
            try:
                os.makedirs(path, exist_ok=True)
                for name in ("cpuset.cpus", "cpuset.mems"):   # empty in a new cpuset: no task may enter
                    if os.path.exists(os.path.join(path, "tasks")) and os.path.exists(os.path.join(path, name)):
                        with open(os.path.join(mount, name)) as f:
                            value = f.read()
                        with open(os.path.join(path, name), "w") as f:
                            f.write(value)
                if os.path.exists(os.path.join(path, "cgroup.clone_children")):
                    with open(os.path.join(path, "cgroup.clone_children"), "w") as f:
                        f.write("1")
                self.cgroups.append(path)
            except OSError:
                pass

    def _enter_cgroups(self):
        for path in self.cgroups:
            with contextlib.suppress(OSError):
                with open(os.path.join(path, "cgroup.procs"), "w") as f:
                    f.write(str(os.getpid()))

    def _remove_cgroups(self):
        for path in self.cgroups:
            remove_cgroup(path)
        self.cgroups = []

    def boot(self):
        """Boots and returns when systemd has nothing more to start."""
        def child():
            die_with_parent()
            self._enter_cgroups()

        if not self.cgroups:
            self._make_cgroups()
        bind = ["--bind=%s:/var/lib/containers" % self.store]
        self.nspawn = subprocess.Popen(
            self.prefix +
            ["systemd-nspawn", "--quiet", "-D", self.root, "-M", self.machine, "--register=no", "--keep-unit",
             "--private-network", "--capability=all", "--system-call-filter=@keyring bpf", "--resolv-conf=off",
             "--timezone=off", "--link-journal=no", "--console=pipe"] + bind + self.options +
            ["/usr/local/sbin/test-init", "systemd.log_target=journal"],
            stdin=subprocess.DEVNULL, stdout=open(self.console, "ab"), stderr=subprocess.STDOUT,
            start_new_session=True, preexec_fn=child)
        self._wait_for_boot()
        return self

    def _find_init(self):
        """PID 1 of the guest, as the build machine numbers it."""
        if self.nspawn.poll() is not None:
            raise Failure("systemd-nspawn ended with %d:\n%s" % (self.nspawn.returncode, self._console_tail()))
        try:
            with open("/proc/%d/task/%d/children" % (self.nspawn.pid, self.nspawn.pid)) as f:
                children = f.read().split()
            for pid in children:
                with open("/proc/%s/status" % pid) as f:
                    status = dict(line.split(":\t", 1) for line in f.read().splitlines() if ":\t" in line)
                if status["Name"] == "systemd" and status["NSpid"].split()[1:] == ["1"]:
                    return int(pid)
        except OSError:
            pass
        return None

    def _console_tail(self):
        with open(self.console, errors="replace") as f:
            return f.read()[-3000:]

    def _wait_for_boot(self):
        self.init = wait_until(lambda: "PID 1 of the guest is systemd:\n" + self._console_tail(), self._find_init,
                               BOOT_SECONDS, 0.05)
        wait_until(lambda: "guest is up: " + str(self.run("systemctl list-jobs")),
                   lambda: self.run(["systemctl", "is-system-running", "--wait"]).out.strip() in ("running", "degraded"),
                   BOOT_SECONDS)
        self.boots += 1

    def reboot(self):
        """A clean reboot, as an administrator asks for it. With --keep-unit nspawn leaves the second start to us
        and says so with exit status 133."""
        self.run(["systemctl", "reboot"])
        try:
            status = self.nspawn.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise Failure("the guest does not go down for a reboot:\n" + self._console_tail())
        self.nspawn = self.init = None
        equal(status, 133, "exit status of systemd-nspawn")
        self.boot()

    def power_off(self):
        if self.nspawn is None:
            return
        self.run(["systemctl", "poweroff"])
        try:
            self.nspawn.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.cut()
            raise Failure("the guest does not power off")
        self.nspawn = self.init = None

    def cut(self):
        """As if the plug was pulled (for processes; the page cache of the build machine stays)."""
        if self.nspawn is None:
            return
        init = self.init or (self.nspawn.poll() is None and self._find_init())
        if init:
            with contextlib.suppress(ProcessLookupError):
                os.kill(init, signal.SIGKILL)
        # It collects PID 1 at once; without it that waits for whoever collects orphans.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.nspawn.wait(STOP_SECONDS if init else 0)
        self.nspawn.kill()
        self.nspawn.wait()
        if init:
            wait_until("PID 1 of the guest is gone", lambda: not os.path.exists("/proc/%d" % init), STOP_SECONDS)
        self.nspawn = self.init = None

    def close(self):
        atexit.unregister(self.close)
        self.cut()
        self._remove_cgroups()
        with contextlib.suppress(OSError):   # nspawn makes it and cannot always remove it
            os.rmdir("/run/systemd/nspawn/propagate/" + self.machine)
        if os.path.ismount(self.root):
            subprocess.call(["umount", self.root])
        if os.environ.get("ATOMIC_TEST_KEEP"):
            open(os.path.join(self.dir, "keep"), "w").close()
            sys.stderr.write("# kept %s\n" % self.dir)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)
        self.lock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # -- commands

    def spawn(self, argv, **kwargs):
        """Starts a command in the guest; a string is a line for sh. Returns the Popen (of nsenter)."""
        if isinstance(argv, str):
            argv = ["sh", "-c", argv]

        def child():
            die_with_parent()
            self._enter_cgroups()

        return subprocess.Popen(
            ["nsenter", "-t", str(self.init), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "--",
             "env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
             "LANG=C", "LC_ALL=C", "TERM=dumb"] + list(argv),
            stdin=kwargs.pop("stdin", subprocess.DEVNULL), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=child, **kwargs)

    def run(self, argv, seconds=120, stdin=None):
        """Runs a command in the guest to its end; never fails by itself."""
        process = self.spawn(argv, stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL)
        try:
            out, err = process.communicate(stdin.encode() if stdin is not None else None, timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise Failure("not within %d s: %s" % (seconds, argv))
        return Result(argv, process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))

    def ok(self, argv, **kwargs):
        """Runs a command that must succeed; returns its result."""
        result = self.run(argv, **kwargs)
        if result.code != 0:
            raise Failure("must succeed\n%s" % result)
        return result

    def fails(self, argv, code=1, **kwargs):
        """Runs a command that must end with `code` (or one of them)."""
        result = self.run(argv, **kwargs)
        if result.code not in (code if isinstance(code, tuple) else (code,)):
            raise Failure("must exit with %s\n%s" % (code, result))
        return result

    def atomic(self, *argv, **kwargs):
        return self.ok(["atomic"] + list(argv), **kwargs)

    def refused(self, *argv, **kwargs):
        return self.fails(["atomic"] + list(argv), **kwargs)

    # -- systemd

    def journal(self, unit=None):
        argv = ["journalctl", "--no-pager", "-o", "cat"]
        self.run(["journalctl", "--sync"])
        return self.run(argv + (["-u", unit] if unit else [])).out

    def show(self, unit, name):
        return self.run(["systemctl", "show", "-p", name, "--value", unit]).out.strip()

    def active(self, unit):
        return self.run(["systemctl", "is-active", unit]).out.strip()

    def start(self, unit, seconds=60):
        result = self.run(["systemctl", "start", unit], seconds=seconds)
        if result.code != 0:
            raise Failure("%s%s" % (result, self.run("systemctl status --no-pager -l -n 40 " + unit).out))

    # -- images and registries

    def layout(self, name):
        """Copies a reference image into the guest and returns the path of its OCI layout there."""
        path = "/srv/layouts/" + name
        if not self.exists(path):
            self.copy_in(reference(name), path)
        return path

    def registry(self, tls=False):
        self.last_registry = Registry(self, tls)
        return self.last_registry

    def policy(self, policy):
        self.write("/etc/containers/policy.json", json.dumps(policy, indent=4) + "\n")

    def accept_all(self):
        self.policy({"default": [{"type": "insecureAcceptAnything"}]})

    # -- what must not be left

    def traces(self, ref=None):
        """What a refused or interrupted command must not leave; a list of sentences, best empty."""
        found = []
        if ref is not None:
            refs = self.run(["ostree", "--repo=" + REPO, "refs"]).out.split()
            found += ["ref " + r for r in refs if r == ostree_ref(ref)]
        found += ["in the checkout: " + n for n in self.listdir(CHECKOUT) if n != ".storage"]
        found += ["in the repository's tmp: " + n for n in self.listdir(REPO + "/tmp") if n.startswith("atomic")]
        found += ["journal: " + n for n in self.listdir(CHECKOUT + "/.storage/journal") if not n.startswith(".lock")]
        for name in ("hello", "etcd"):
            for path in ("/etc/systemd/system/%s.service" % name, "/etc/tmpfiles.d/%s.conf" % name,
                         "/etc/systemd/system/multi-user.target.wants/%s.service" % name):
                if self.exists(path):
                    found.append("file " + path)
        for folder in ("/etc/systemd/system", "/etc/tmpfiles.d"):
            found += ["temporary file %s/%s" % (folder, n) for n in self.listdir(folder) if n.startswith(".")]
        found += ["below /run/atomic: " + line for line in
                  self.run("find /run/atomic -mindepth 1 ! -name '*.lock' ! -name 'lock*' 2>/dev/null")
                  .out.splitlines() if not line.startswith("/run/atomic/locks")]
        found += ["process " + line for line in
                  self.run("ps -eo pid=,args= | grep -E '[g]pg-agent|[d]irmngr|[k]eyboxd'").out.splitlines()]
        return found

    def assert_clean(self, ref=None):
        found = self.traces(ref)
        if found:
            raise Failure("left behind:\n  " + "\n  ".join(found))


def ostree_ref(reference):
    """ociimage/ENCODED of system-image.md 9.2, for a reference as it was typed."""
    last = reference.rsplit("/", 1)[-1]
    if ":" not in last and "@" not in last:
        reference += ":latest"
    return "ociimage/" + "".join(c if re.match(r"[A-Za-z0-9.-]", c) else "_%02X" % ord(c) for c in reference)


class Registry:
    """docker-registry in the guest: plain on 127.0.0.1:5000, or with TLS on localhost:5443."""

    def __init__(self, guest, tls=False):
        self.guest, self.tls = guest, tls
        self.unit = "test-registry-tls" if tls else "test-registry"
        self.host = "localhost:5443" if tls else "127.0.0.1:5000"
        self.root = "/srv/" + self.unit
        if tls:
            self._make_certificates()
        config = {"version": "0.1", "log": {"level": "info", "accesslog": {"disabled": False}},
                  "storage": {"filesystem": {"rootdirectory": self.root}, "delete": {"enabled": True},
                              "maintenance": {"uploadpurging": {"enabled": False}}},
                  "http": {"addr": self.host.replace("localhost", "127.0.0.1"),
                           "secret": "a-secret-of-the-tests"}}
        if tls:
            config["http"]["tls"] = {"certificate": "/srv/tls/server.crt", "key": "/srv/tls/server.key"}
        guest.write("/etc/%s.yml" % self.unit, json.dumps(config))   # JSON is YAML
        self.start()

    def _make_certificates(self):
        self.guest.ok("""
            set -e
            mkdir -p /srv/tls && cd /srv/tls
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=test-ca \
                -addext basicConstraints=critical,CA:TRUE -keyout ca.key -out ca.crt
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
                -keyout server.key -out server.csr
            printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\\nbasicConstraints=CA:FALSE\\n' > ext
            openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 \
                -extfile ext -out server.crt
            cp ca.crt /usr/local/share/ca-certificates/test-ca.crt
            update-ca-certificates
        """)

    def url(self, path=""):
        return "%s://%s%s" % ("https" if self.tls else "http", self.host, path)

    def start(self):
        g = self.guest
        g.run(["systemctl", "reset-failed", self.unit])
        g.ok(["systemd-run", "--quiet", "--unit", self.unit, "docker-registry", "serve", "/etc/%s.yml" % self.unit])
        wait_until(lambda: "registry answers:\n" + g.journal(self.unit),
                   lambda: g.run(["curl", "-sf", "-m", "5", self.url("/v2/")]).code == 0, 30)

    def stop(self):
        self.guest.ok(["systemctl", "stop", self.unit])

    def log(self):
        return self.guest.journal(self.unit)

    def requests(self, since=0):
        """Requests seen, as (method, path), from the access log."""
        return re.findall(r'"(GET|HEAD|PUT|POST|PATCH|DELETE) (\S+) HTTP', self.log())[since:]

    def push(self, layout, path):
        """Pushes a layout (of the build machine) as PATH:TAG; returns the manifest digest. The pusher runs on the
        build machine inside the guest's network, so the guest needs no Python."""
        argv = ["nsenter", "-t", str(self.guest.init), "-n", "--", sys.executable,
                os.path.join(IMAGE_TOOLS, "push"), layout, self.url("/" + path)]
        env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        if self.tls:
            env["SSL_CERT_FILE"] = self.guest.path("/srv/tls/ca.crt")
        return sh(*argv, env=env).strip()

    def size(self, digest):
        return os.path.getsize(self.blob(digest))

    def damage(self, digest):
        """Turns one bit in the middle of a stored blob."""
        with open(self.blob(digest), "r+b") as f:
            data = f.read()
            f.seek(len(data) // 2)
            f.write(bytes([data[len(data) // 2] ^ 0x20]))

    def blob(self, digest):
        """The file of a blob in the registry's storage, as the build machine sees it."""
        algorithm, value = digest.split(":")
        return self.guest.path("%s/docker/registry/v2/blobs/%s/%s/%s/data" % (self.root, algorithm, value[:2], value))


class SlowRegistry:
    """A registry that serves a layout at `rate` bytes a second, from the build machine inside the guest's network."""

    def __init__(self, guest, layout, rate, port=5001):
        self.host = "127.0.0.1:%d" % port
        self.process = subprocess.Popen(
            ["nsenter", "-t", str(guest.init), "-n", "--", sys.executable, os.path.join(HERE, "slow-registry"),
             layout, str(port), str(rate)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            preexec_fn=die_with_parent, text=True)
        self.lines = []
        self.reader = threading.Thread(target=lambda: self.lines.extend(self.process.stdout), daemon=True)
        self.reader.start()
        wait_until("the slow registry listens", lambda: "listening\n" in self.lines or self.process.poll() is not None)

    def serving(self):
        """Lines “METHOD PATH BYTES”, one each time some bytes of a blob have left."""
        return [line.strip() for line in self.lines if "/blobs/" in line and not line.startswith("BEGIN ")]

    def begins(self, digest):
        """At which bytes the requests for a blob began."""
        return [int(line.split()[2]) for line in self.lines if line.startswith("BEGIN ") and digest in line]

    def stop(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


# ---- images ----------------------------------------------------------------------------------------------------

def image_tool(name, *argv):
    return sh(sys.executable, os.path.join(IMAGE_TOOLS, name), *argv)


def reference(name):
    """The OCI layout of a reference image (`hello`, `etcd`), built once."""
    return image_tool("reference", name, "--cache", CACHE).strip()


def scratch():
    """A folder for this test program, removed at its end."""
    if not hasattr(scratch, "path"):
        scratch.path = tempfile.mkdtemp(prefix="atomic-host-")
        atexit.register(shutil.rmtree, scratch.path, True)
    return scratch.path


def compose(name, *argv):
    """Composes an image below scratch(); returns the layout's path."""
    path = os.path.join(scratch(), name)
    image_tool("compose", path, *argv)
    return path


def layout_manifest(layout, tag=None):
    """(digest, manifest) of the (only, or tagged) image of a layout."""
    with open(os.path.join(layout, "index.json")) as f:
        entries = json.load(f)["manifests"]
    for entry in entries:
        if tag is None or entry.get("annotations", {}).get("org.opencontainers.image.ref.name") == tag:
            with open(os.path.join(layout, "blobs", *entry["digest"].split(":"))) as f:
                return entry["digest"], json.load(f)
    raise Failure("no image %s in %s" % (tag, layout))


def memory_limit(g, pid):
    """The limit that binds a process of the guest: the smallest one from its memory cgroup up to the root."""
    own, unified = None, None
    for line in g.ok("cat /proc/%d/cgroup" % pid).out.splitlines():
        number, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            own = "/sys/fs/cgroup/memory", path, "memory.limit_in_bytes"
        elif number == "0":
            unified = "/sys/fs/cgroup", path, "memory.max"
    top, path, name = own or unified
    limits = []
    while path not in ("", "/"):
        value = g.run(["cat", top + path + "/" + name]).out.strip()
        if value.isdigit():
            limits.append(int(value))
        path = os.path.dirname(path)
    return min(limits, default=None)


def runtime_path(runtime):
    return "/usr/sbin/runc" if runtime == "runc" else "/usr/bin/" + runtime


def running_pid(g, runtime, name):
    state = g.run([runtime, "state", name])
    state = json.loads(state.out) if state.code == 0 else {}
    return state.get("pid") if state.get("status") == "running" else None


def container_pid(g, runtime, name):
    """PID 1 of the container, as the guest numbers it. A unit of Type=simple is active before it is there."""
    return wait_until("%s state %s" % (runtime, name), lambda: running_pid(g, runtime, name))


def kill_everything(g, runtime, name):
    """kill -9 of the runtime and of every process of the container, at once."""
    pids = {str(container_pid(g, runtime, name)), g.show(name, "MainPID")}
    pids.update(g.run("cat /sys/fs/cgroup/systemd/system.slice/%s.service/cgroup.procs "
                      "/sys/fs/cgroup/system.slice/%s.service/cgroup.procs 2>/dev/null" % (name, name)).out.split())
    g.run("kill -9 " + " ".join(sorted(pids - {"0"})))


# ---- checks ----------------------------------------------------------------------------------------------------

def check(condition, message="check"):
    if not condition:
        raise Failure(str(message))


def equal(got, want, what="value"):
    if got != want:
        raise Failure("%s is %r, not %r" % (what, got, want))


def has(text, part, what=None):
    if part not in str(text.out + text.err if isinstance(text, Result) else text):
        raise Failure("“%s” is not in %s" % (part, what or text))


def has_not(text, part, what=None):
    if part in str(text.out + text.err if isinstance(text, Result) else text):
        raise Failure("“%s” is in %s" % (part, what or text))


def matches(text, pattern):
    found = re.search(pattern, text, re.M)
    if not found:
        raise Failure("nothing matches %s in:\n%s" % (pattern, text))
    return found


def one_line(result):
    """A refusal is one line on stderr."""
    lines = result.err.splitlines()
    if len(lines) != 1:
        raise Failure("stderr must be one line\n%s" % result)
    return lines[0]


# ---- the test program ------------------------------------------------------------------------------------------

TESTS = []


def test(name, program=True, policy=True):
    """Registers function(guest) as a test with a booted guest of its own. program=False: does not need atomic;
    policy=False: the policy that was installed stays, else everything is accepted."""
    def add(function):
        TESTS.append((name, function, program, policy))
        return function
    return add


def load_tests(name):
    """Another file of tests as a module, for its functions; its tests are not run."""
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), os.path.join(HERE, name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    TESTS.clear()
    return module


def main(guest=Guest):
    """Runs the registered tests, each with a booted `guest`; the words of the command line choose tests whose names
    contain them."""
    if os.geteuid() != 0:
        print("1..0 # SKIP needs root")
        return
    own_mount_namespace()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    chosen = [t for t in TESTS if not sys.argv[1:] or any(word in t[0] for word in sys.argv[1:])]
    print("1..%d" % len(chosen), flush=True)
    failed = 0
    for number, (name, function, program, policy) in enumerate(chosen, 1):
        began = time.monotonic()
        try:
            if program and not DESTDIR:
                raise Skip("ATOMIC_DESTDIR does not name an installed program")
            with guest(program=program) as g:
                try:
                    g.boot()
                    if program and policy:
                        g.accept_all()
                    function(g)
                except Failure:
                    if os.environ.get("ATOMIC_TEST_VERBOSE") and g.init:
                        sys.stderr.write(re.sub("(?m)^", "# ", g.journal()[-6000:]) + "\n")
                    raise
            print("ok %d - %s # %.1f s" % (number, name, time.monotonic() - began), flush=True)
        except Skip as why:
            print("ok %d - %s # SKIP %s" % (number, name, why), flush=True)
        except Exception as error:
            failed += 1
            text = str(error) if isinstance(error, Failure) else traceback.format_exc()
            where = traceback.extract_tb(error.__traceback__)
            lines = [f for f in where if os.path.basename(f.filename).startswith("test-")]
            if lines:
                text = "line %d: %s" % (lines[-1].lineno, text)
            print("not ok %d - %s" % (number, name), flush=True)
            print(re.sub("(?m)^", "# ", text), flush=True)
    sys.exit(1 if failed else 0)
