# SPDX-License-Identifier: LGPL-2.1-or-later
"""The images of the benchmarks, as OCI layouts, made from Debian packages and kept in the cache of the tests."""

import gzip
import hashlib
import json
import os
import random
import shutil
import subprocess
import tempfile

CACHE = os.environ.get("ATOMIC_TEST_CACHE", "/var/cache/atomic-tests")

# Many small files: about 50 MB as gzip, 10k entries.
BASE = """bash coreutils libc6 perl-base perl-modules-5.36 python3.11-minimal libpython3.11-stdlib vim-runtime git tzdata
          ncurses-term linux-libc-dev""".split()
# Few large ones, about 240 MB.
SERVICES = "docker.io containerd etcd-server podman openjdk-17-jre-headless libllvm14 libpython3.11-dev".split()

GZIP_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def run(*argv, **kwargs):
    return subprocess.run(argv, check=True, **kwargs)


def unpack(packages, folder):
    """Unpacks Debian packages, which apt fetches, into `folder`."""
    with tempfile.TemporaryDirectory() as debs:
        os.chmod(debs, 0o755)
        run("apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *packages, cwd=debs)
        os.makedirs(folder, exist_ok=True)
        for deb in sorted(os.listdir(debs)):
            run("dpkg-deb", "-x", os.path.join(debs, deb), folder)


def small_files(folder, count, seed):
    """`count` files of 200 to 4000 bytes, 100 in a folder."""
    source = random.Random(seed)
    for i in range(count):
        below = os.path.join(folder, "data", "%04d" % (i // 100))
        os.makedirs(below, exist_ok=True)
        with open(os.path.join(below, "%06d" % i), "wb") as f:
            f.write(source.randbytes(100).hex().encode() * source.randint(1, 20))


class Layout:
    """An OCI layout under construction; made beside its final name, which it gets when it is whole."""

    def __init__(self, path):
        self.final, self.path = path, path + ".new"
        shutil.rmtree(self.path, True)
        self.blobs = os.path.join(self.path, "blobs", "sha256")
        os.makedirs(self.blobs)
        self.layers, self.diff_ids = [], []

    def _put(self, data):
        name = hashlib.sha256(data).hexdigest()
        with open(os.path.join(self.blobs, name), "wb") as f:
            f.write(data)
        return {"digest": "sha256:" + name, "size": len(data)}

    def add_folder(self, folder, extra=()):
        """A gzip layer of what `folder` holds, by tar and gzip."""
        tar = subprocess.Popen(["tar", "-C", folder, "--format=posix", "--sort=name", "--numeric-owner", "--owner=0",
                                "--group=0", "--mtime=@0", "--pax-option=delete=atime,delete=ctime", *extra, "-c", "."],
                               stdout=subprocess.PIPE)
        temporary = os.path.join(self.blobs, "layer")
        diff_id, digest, size = hashlib.sha256(), hashlib.sha256(), 0
        with open(temporary, "wb") as out:
            packer = subprocess.Popen(["gzip", "-n", "-6"], stdin=subprocess.PIPE, stdout=out)
            while block := tar.stdout.read(1 << 20):
                diff_id.update(block)
                packer.stdin.write(block)
            packer.stdin.close()
            assert tar.wait() == 0 and packer.wait() == 0
        with open(temporary, "rb") as f:
            while block := f.read(1 << 20):
                digest.update(block)
                size += len(block)
        self.take(temporary, digest.hexdigest(), size, "sha256:" + diff_id.hexdigest())

    def take(self, path, name, size, diff_id):
        os.rename(path, os.path.join(self.blobs, name))
        self.layers.append({"mediaType": GZIP_LAYER, "digest": "sha256:" + name, "size": size})
        self.diff_ids.append(diff_id)

    def add_layers_of(self, layout):
        """The layers of another layout, as hard links."""
        other = Image(layout)
        for layer, diff_id in zip(other.manifest["layers"], other.config["rootfs"]["diff_ids"]):
            name = layer["digest"].split(":")[1]
            link = os.path.join(self.blobs, "layer")
            os.link(os.path.join(layout, "blobs", "sha256", name), link)
            self.take(link, name, layer["size"], diff_id)

    def finish(self):
        config = {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/bin/bash"]},
                  "rootfs": {"type": "layers", "diff_ids": self.diff_ids}}
        manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                    "config": {"mediaType": "application/vnd.oci.image.config.v1+json",
                               **self._put(json.dumps(config).encode())}, "layers": self.layers}
        entry = {"mediaType": manifest["mediaType"], **self._put(json.dumps(manifest).encode()),
                 "annotations": {"org.opencontainers.image.ref.name": "latest"}}
        with open(os.path.join(self.path, "index.json"), "w") as f:
            json.dump({"schemaVersion": 2, "manifests": [entry]}, f)
        with open(os.path.join(self.path, "oci-layout"), "w") as f:
            json.dump({"imageLayoutVersion": "1.0.0"}, f)
        os.rename(self.path, self.final)


class Image:
    def __init__(self, layout):
        self.layout = layout
        with open(os.path.join(layout, "index.json")) as f:
            self.digest = json.load(f)["manifests"][0]["digest"]
        self.manifest = self.read(self.digest)
        self.config = self.read(self.manifest["config"]["digest"])
        self.size = sum(layer["size"] for layer in self.manifest["layers"])

    def read(self, digest):
        with open(os.path.join(self.layout, "blobs", *digest.split(":"))) as f:
            return json.load(f)

    def count_files(self):
        total = 0
        for layer in self.manifest["layers"]:
            with gzip.open(os.path.join(self.layout, "blobs", *layer["digest"].split(":"))) as tar:
                listing = subprocess.Popen(["tar", "-t"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                counter = subprocess.Popen(["wc", "-l"], stdin=listing.stdout, stdout=subprocess.PIPE)
                listing.stdout.close()
                shutil.copyfileobj(tar, listing.stdin)
                listing.stdin.close()
                total += int(counter.communicate()[0])
                listing.wait()
        return total


def _make_small(layout, folder):
    unpack(BASE, folder)
    layout.add_folder(folder)


def _make_large(layout, folder):
    layout.add_layers_of(image("small"))
    unpack(SERVICES, folder)
    layout.add_folder(folder)


def _make_changed(layout, folder):
    """`large` with one small layer more: an update."""
    layout.add_layers_of(image("large"))
    small_files(folder, 1000, "changed")
    layout.add_folder(folder)


def _make_shared(layout, folder):
    """The files of `large` in one layer, with a fifth of the bytes replaced."""
    unpack(BASE + SERVICES, folder)
    files = sorted(os.path.join(top, name) for top, _, names in os.walk(folder) for name in names)
    files = [f for f in files if not os.path.islink(f)]
    total, replaced = sum(os.path.getsize(f) for f in files), 0
    source = random.Random("shared")
    source.shuffle(files)
    for path in files:
        size = os.path.getsize(path)
        if size and replaced + size <= total // 5:
            replaced += size
            with open(path, "r+b") as f:
                f.write(source.randbytes(min(size, 16)))
    layout.add_folder(folder)


def _make_many(count):
    def make(layout, folder):
        small_files(folder, count, "many")
        layout.add_folder(folder)
    return make


MAKERS = {"small": _make_small, "large": _make_large, "changed": _make_changed, "shared": _make_shared,
          "many": _make_many(100000), "tenth": _make_many(10000)}


def image(name):
    """The layout of an image of this name, made when it is first asked for. The name of the folder changes with the
    recipe."""
    with open(__file__, "rb") as f:
        recipe = hashlib.sha256(f.read()).hexdigest()[:12]
    path = os.path.join(CACHE, "bench", "%s-%s" % (name, recipe))
    if not os.path.isdir(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        layout = Layout(path)
        with tempfile.TemporaryDirectory(dir=os.path.dirname(path)) as folder:
            MAKERS[name](layout, folder)
        layout.finish()
    return path
