"""Which file systems hold no SQLite file, told from lists of mounts."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stoma.errors import ConfigError
from stoma.stores import filesystems, open_store
from stoma.stores.filesystems import linux_mounts, mac_mounts, mount_of

ROOT = "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
LINUX = (
    ROOT
    + r"""30 27 0:40 / /home rw,relatime shared:1 - nfs4 files.example:/export/home rw,vers=4.2
31 27 0:41 / /mnt/my\040share rw - cifs //box/my\040share rw,vers=3.1.1
32 27 0:42 / /srv/m\134x rw - fuse.sshfs me@box:/data rw,user_id=0
33 27 0:43 / /net rw - autofs /etc/auto.net rw,fd=5
34 33 0:44 / /net/box/vol rw - nfs box:/vol rw,vers=3
35 27 0:45 / /auto rw - autofs systemd-1 rw,fd=6
36 35 0:46 / /auto rw - nfs4 box:/auto rw
37 27 254:0 /var/data /data rw - ext4 /dev/vda rw
38 37 0:40 /me /data/bound rw - nfs4 files.example:/export/home rw
39 27 0:47 / /var/lib/containers/merged rw - overlay overlay rw,lowerdir=/a,upperdir=/b
40 27 0:48 / /mnt/c rw - 9p C:\134 rw,dirsync
41 27 0:49 / /mnt/pool rw - fuse.mergerfs /disk1:/disk2 rw
42 27 0:50 / /mnt/secret rw - fuse.gocryptfs /home/me/.secret rw
43 27 0:51 / /mnt/usb rw - fuseblk /dev/sdb1 rw
44 27 0:52 / /mnt/strange rw - fuse.new_one bucket@there:files rw
45 27 0:53 / /mnt/gluster rw - fuse.glusterfs node1:/vol rw
46 27 0:54 / /mnt/ceph rw - ceph 10.0.0.1:6789,10.0.0.2:6789:/ rw
47 27 0:55 / /mnt/lustre rw - lustre 10.0.0.1@tcp:/scratch rw
48 27 0:56 / /mnt/afs rw - afs AFS rw
49 27 0:57 / /dev/shm rw - tmpfs tmpfs rw
50 27 0:58 / /mnt/gone/deep rw - nfs4 box:/deep rw
51 27 0:59 / /mnt/gone rw - tmpfs tmpfs rw
52 27 0:60 / /mnt/snap rw - btrfs /dev/vdb rw,subvol=/x
53 27 0:61 / /mnt/bindfs rw - fuse /home/me/other rw
a line that is none
"""
)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/me/stoma.db", "nfs4"),
        ("/mnt/my share/stoma.db", "cifs"),
        ("/srv/m\\x/stoma.db", "fuse.sshfs"),
        ("/net/box/vol/stoma.db", "nfs"),
        # An automounter that has mounted the answer on its own point.
        ("/auto/stoma.db", "nfs4"),
        ("/data/bound/stoma.db", "nfs4"),
        ("/mnt/c/Users/me/stoma.db", "9p"),
        ("/mnt/strange/stoma.db", "fuse.new_one"),
        ("/mnt/gluster/a/b/stoma.db", "fuse.glusterfs"),
        ("/mnt/ceph/stoma.db", "ceph"),
        ("/mnt/lustre/stoma.db", "lustre"),
        ("/mnt/afs/stoma.db", "afs"),
        ("/home", "nfs4"),
    ],
)
def test_what_lies_with_another_machine_is_known(path: str, kind: str) -> None:
    mount = mount_of(path, linux_mounts(LINUX))
    assert mount is not None
    assert (mount.kind, mount.is_remote) == (kind, True)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/stoma.db", "ext4"),
        # Begins with the same letters, and is another folder.
        ("/homes/me/stoma.db", "ext4"),
        ("/data/stoma.db", "ext4"),
        ("/var/lib/containers/merged/stoma.db", "overlay"),
        ("/mnt/pool/stoma.db", "fuse.mergerfs"),
        ("/mnt/secret/stoma.db", "fuse.gocryptfs"),
        ("/mnt/usb/stoma.db", "fuseblk"),
        ("/mnt/snap/stoma.db", "btrfs"),
        ("/mnt/bindfs/stoma.db", "fuse"),
        ("/dev/shm/stoma.db", "tmpfs"),
        ("/net/stoma.db", "autofs"),
        # What was mounted there before lies hidden.
        ("/mnt/gone/deep/stoma.db", "tmpfs"),
    ],
)
def test_what_lies_here_is_known(path: str, kind: str) -> None:
    mount = mount_of(path, linux_mounts(LINUX))
    assert mount is not None
    assert (mount.kind, mount.is_remote) == (kind, False)


def test_where_nothing_can_be_told_nothing_is_said() -> None:
    assert mount_of("/stoma.db", linux_mounts("")) is None
    # As seen by a process whose root folder is no mount.
    inside = linux_mounts(
        "60 59 0:7 / /data rw - nfs4 box:/d rw\n61 60 0:8 / /data/fast rw - xfs /dev/sdc rw\n"
    )
    assert mount_of("/stoma.db", inside) is None
    assert [mount_of(path, inside).kind for path in ("/data/x", "/data/fast/x")] == ["nfs4", "xfs"]  # type: ignore[union-attr]


def test_the_mounts_of_macos() -> None:
    mounts = mac_mounts(
        "/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)\n"
        "/dev/disk3s5 on /System/Volumes/Data (apfs, local, journaled, nobrowse)\n"
        "map auto_home on /System/Volumes/Data/home (autofs, automounted, nobrowse)\n"
        "//me@box._smb._tcp.local/My%20Share on /Volumes/My Share (smbfs, nodev, nosuid, mounted by me)\n"
        "box:/vol on /Volumes/vol (nfs, nodev)\n"
        "me@box:/data on /Volumes/ssh (macfuse, nodev, nosuid)\n"
    )
    told = [
        (mount.kind, mount.is_remote)
        for path in ("/Users/me/x", "/Volumes/My Share/x", "/Volumes/vol/x", "/Volumes/ssh/x")
        if (mount := mount_of(path, mounts))
    ]
    assert told == [("apfs", False), ("smbfs", True), ("nfs", True), ("macfuse", True)]


@pytest.fixture
def on_nfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that the list of mounts says is on NFS."""
    text = ROOT + f"30 27 0:40 / {tmp_path}/far rw - nfs4 box:/far rw\n"
    monkeypatch.setattr(filesystems, "_mounts", lambda: linux_mounts(text))
    (tmp_path / "far").mkdir()
    return tmp_path / "far"


def test_a_store_on_a_network_file_system_is_refused(on_nfs: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"nfs4, mounted from box:/far at .*: SQLite's write-ahead log"
    ) as caught:
        open_store("sqlite:///deep/stoma.db", on_nfs)
    assert "local disk" in caught.value.hint
    assert "postgresql://" in caught.value.hint
    assert list(on_nfs.iterdir()) == []


def test_a_link_does_not_hide_it(on_nfs: Path, tmp_path: Path) -> None:
    (tmp_path / "near.db").symlink_to(on_nfs / "stoma.db")
    with pytest.raises(ConfigError, match="network file system"):
        open_store("sqlite:///near.db", tmp_path)


def test_whoever_knows_better_may(on_nfs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(filesystems.ALLOWED, "1")
    open_store("sqlite:///stoma.db", on_nfs).close()


PRETEND = ["unshare", "--user", "--map-root-user", "--mount", "--propagation", "private"]


@pytest.mark.skipif(
    not shutil.which("unshare") or subprocess.run([*PRETEND, "true"], capture_output=True).returncode != 0,
    reason="nothing can be mounted here",
)
def test_the_true_list_of_mounts_is_read(tmp_path: Path) -> None:
    script = (
        "import os, sys; from stoma.stores import filesystems as f\n"
        "mount = f.mount_of(os.path.realpath(sys.argv[1]), f._mounts())\n"
        "print(mount.kind, mount.source, mount.point == os.path.realpath(os.path.dirname(sys.argv[1])))"
    )
    folder = tmp_path / "a b\\c"
    folder.mkdir()
    mounting = 'mount -t tmpfs "so me" "$1" && exec "$2" -c "$3" "$1/x.db"'
    told = subprocess.run(
        [*PRETEND, "sh", "-c", mounting, "sh", folder, sys.executable, script],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert told == "tmpfs so me True\n"
