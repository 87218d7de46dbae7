"""Files of ours: private from birth, no link followed, replaced whole or not at all, locked by the kernel."""

import errno
import os
import select
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agent_os.core.errors import ConfigError, ResourceError
from agent_os.core.files import atomic_write, check_plain, lock_fd, open_private, unlock_fd

ROOT = Path(__file__).parent.parent
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX modes, FIFOs and links")
unprivileged = pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may do everything")
rooted = pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can give a file away")
CREATE = os.O_RDWR | os.O_CREAT


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def open_files():
    """The descriptors of this process, to see that none is left behind."""
    return names(Path("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else []


@pytest.fixture(params=[0o000, 0o022, 0o777], ids=["umask-000", "umask-022", "umask-777"])
def umask(request):
    old = os.umask(request.param)
    yield request.param
    os.umask(old)


@pytest.fixture(autouse=True)
def nothing_left_open():
    before = open_files()
    yield
    assert open_files() == before


def odd_things(folder):
    """What may lie where a file of ours should: (path, what the sentence says of it)."""
    target = folder / "target"
    target.write_bytes(b"theirs")
    (folder / "link").symlink_to(target)
    (folder / "dangling").symlink_to(folder / "nowhere")
    os.link(target, folder / "second")
    os.mkfifo(folder / "fifo")
    (folder / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
    return {
        "link": "is a symbolic link",
        "dangling": "is a symbolic link",
        "second": "has a second name (hard link)",
        "fifo": "is a FIFO (named pipe)",
        "folder": "is a folder",
        "socket": "is a device or socket",
    }


# check_plain


def test_a_missing_file_is_not_there(tmp_path):
    """Nothing at that path: False, and nothing is made."""
    assert check_plain(str(tmp_path / "agent_os.db"), "the database") is False
    assert list(tmp_path.iterdir()) == []


def test_a_plain_file_of_ours_is_there(tmp_path):
    """A regular file with one name, ours: True."""
    (tmp_path / "agent_os.db").write_bytes(b"")
    assert check_plain(str(tmp_path / "agent_os.db"), "the database") is True


@posix
@pytest.mark.parametrize("name", ["link", "dangling", "second", "fifo", "folder", "socket"])
def test_anything_but_a_plain_file_is_refused(tmp_path, name):
    """A link, FIFO, socket, folder or file with a second name is refused by a sentence that says what it is."""
    expected = odd_things(tmp_path)[name]
    with pytest.raises(ConfigError) as caught:
        check_plain(str(tmp_path / name), "the database")
    assert caught.value.message == f"the database {tmp_path / name} {expected}"
    assert caught.value.hint == "use a plain file that the user who runs this owns"


@posix
def test_a_device_is_refused():
    """`AGENT_OS_DB_PATH=/dev/null` is a mistake, not a database."""
    with pytest.raises(ConfigError, match="the database /dev/null is a device or socket"):
        check_plain("/dev/null", "the database")


@rooted
def test_a_file_of_another_user_is_refused(tmp_path):
    """Who owns it could change it under our hands."""
    (tmp_path / ".env").write_bytes(b"")
    os.chown(tmp_path / ".env", 65534, 65534)
    for tried in (check_plain, lambda path, _: open_private(path, os.O_RDONLY)):
        with pytest.raises(ConfigError, match=r"belongs to another user \(uid 65534\)"):
            tried(str(tmp_path / ".env"), "the settings file")


@rooted
def test_a_file_that_root_owns_is_taken_by_any_user():
    """An administrator may lay down settings for a user."""
    code = (
        f"import os, sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from agent_os.core.files import check_plain\n"
        "os.setuid(65534)\n"
        "raise SystemExit(not check_plain('/etc/passwd', 'the settings file'))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_path_through_a_file_is_refused(tmp_path):
    """`agent.log/x` where agent.log is a file: a sentence, not a NotADirectoryError."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"looking at the database .*file/x: Not a directory"):
        check_plain(str(tmp_path / "file" / "x"), "the database")


@pytest.mark.parametrize("path", ["a\0b", "a\ud800b"], ids=["NUL", "lone-surrogate"])
def test_a_path_that_no_system_takes_is_refused(path):
    """Each function that takes a path says so."""
    with pytest.raises(ConfigError, match="the database"):
        check_plain(path, "the database")
    with pytest.raises(ConfigError, match="looking at the file"):
        open_private(path, CREATE)
    with pytest.raises(ConfigError, match="writing"), atomic_write(path):
        pass


# open_private


@posix
def test_a_new_file_is_private_whatever_the_umask(tmp_path, umask):
    """0600 from birth: neither open to all under umask 000 nor closed to us under 777."""
    path = str(tmp_path / "agent.log")
    fd = open_private(path, CREATE)
    os.write(fd, b"x")
    os.close(fd)
    assert mode(path) == 0o600
    os.close(open_private(path, CREATE))


@posix
def test_the_mode_of_an_existing_file_is_its_owners_choice(tmp_path):
    """Who gave his group the right to read the log keeps it so."""
    path = tmp_path / "agent.log"
    path.write_bytes(b"old")
    path.chmod(0o640)
    os.close(open_private(str(path), CREATE))
    assert mode(path) == 0o640
    assert path.read_bytes() == b"old"


@posix
@pytest.mark.parametrize("name", ["link", "dangling", "second", "fifo", "folder", "socket"])
@pytest.mark.parametrize("flags", [os.O_WRONLY | os.O_CREAT | os.O_APPEND, os.O_RDONLY], ids=["append", "read"])
def test_no_odd_thing_is_opened_and_no_fifo_waited_for(tmp_path, name, flags):
    """A link planted at the path leads nowhere, a FIFO does not hang the run."""
    expected = odd_things(tmp_path)[name]
    with pytest.raises(ConfigError) as caught:
        open_private(str(tmp_path / name), flags)
    assert caught.value.message == f"the file {tmp_path / name} {expected}"
    assert not (tmp_path / "nowhere").exists()
    assert (tmp_path / "target").read_bytes() == b"theirs"


@posix
def test_a_fifo_with_a_reader_is_refused_too(tmp_path):
    """The other end being open does not make it a file."""
    os.mkfifo(tmp_path / "fifo")
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(ConfigError, match="is a FIFO"):
            open_private(str(tmp_path / "fifo"), os.O_WRONLY | os.O_CREAT)
    finally:
        os.close(reader)


def test_exclusive_creation_is_exclusive(tmp_path):
    """O_EXCL means what it says."""
    path = str(tmp_path / "new")
    os.close(open_private(path, CREATE | os.O_EXCL))
    with pytest.raises(ConfigError, match="File exists"):
        open_private(path, CREATE | os.O_EXCL)


def test_a_missing_file_is_not_made_unasked(tmp_path):
    """Without O_CREAT a missing file is an error with its path."""
    with pytest.raises(ConfigError, match=r"opening .*missing: No such file"):
        open_private(str(tmp_path / "missing"), os.O_RDWR)


@posix
def test_a_descriptor_is_not_inherited(tmp_path):
    """A task's child process does not get our files."""
    fd = open_private(str(tmp_path / "x"), CREATE)
    assert os.get_inheritable(fd) is False
    os.close(fd)


@unprivileged
def test_a_folder_that_may_not_be_written_to_is_said(tmp_path):
    """Permission denied is a matter of the machine, with a hint."""
    tmp_path.chmod(0o500)
    with pytest.raises(ResourceError, match="Permission denied"):
        open_private(str(tmp_path / "x"), CREATE)
    tmp_path.chmod(0o700)


# atomic_write


def test_a_file_is_there_whole_once_the_block_ends(tmp_path):
    """Before that the old one is; nothing else is left in the folder."""
    path = tmp_path / "out.csv"
    path.write_bytes(b"old")
    with atomic_write(str(path)) as out:
        out.write(b"new " * 50_000)
        out.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new " * 50_000
    assert names(tmp_path) == ["out.csv"]


@posix
def test_a_written_file_is_private_whatever_the_umask(tmp_path, umask):
    """An export holds names of projects and people."""
    with atomic_write(str(tmp_path / "out.csv")) as out:
        out.write(b"x")
    assert mode(tmp_path / "out.csv") == 0o600


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, ConfigError])
def test_after_an_exception_the_old_file_is_as_it_was(tmp_path, error):
    """The exception goes on its way, the temporary file is gone."""
    path = tmp_path / "out.csv"
    path.write_bytes(b"old")
    with pytest.raises(error), atomic_write(str(path)) as out:  # noqa: PT012 - it is the block that is looked at
        out.write(b"half")
        raise error("x")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["out.csv"]


def test_a_write_that_fails_says_what_was_written_and_why(tmp_path):
    """No space, for one; the OSError is the cause."""
    path = tmp_path / "out.csv"
    path.write_bytes(b"old")
    with pytest.raises(ResourceError, match=r"writing .*out\.csv: No space left") as caught, atomic_write(str(path)):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert isinstance(caught.value.__cause__, OSError)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["out.csv"]


@posix
def test_a_full_disk_leaves_the_old_file(tmp_path):
    """With a real limit: whether a write or the last flush meets it, the old file stands and the error is ours."""
    path = tmp_path / "out.csv"
    path.write_bytes(b"old")
    code = (
        f"import resource, signal, sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from agent_os.core.errors import ResourceError\n"
        "from agent_os.core.files import atomic_write\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "for size in (5_000, 500_000):\n"
        "    try:\n"
        f"        with atomic_write({str(path)!r}) as out:\n"
        "            out.write(b'x' * size)\n"
        "    except ResourceError as error:\n"
        "        print(error.message)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == f"writing {path}: File too large\n" * 2
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["out.csv"]


@posix
def test_a_kill_leaves_the_old_file(tmp_path):
    """SIGKILL in the middle of a block: the name still leads to the old bytes, and the next write works."""
    path = tmp_path / "out.csv"
    path.write_bytes(b"old")
    code = (
        f"import os, signal, sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from agent_os.core.files import atomic_write\n"
        f"with atomic_write({str(path)!r}) as out:\n"
        "    out.write(b'half'); out.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    with atomic_write(str(path)) as out:
        out.write(b"new")
    assert path.read_bytes() == b"new"


@posix
@pytest.mark.parametrize("name", ["link", "dangling", "fifo", "folder", "socket"])
def test_a_file_is_not_put_in_the_place_of_something_else(tmp_path, name):
    """`--out /dev/stdout` must not replace a link in /dev."""
    expected = odd_things(tmp_path)[name]
    before = names(tmp_path)
    with pytest.raises(ConfigError, match=f"{name} {expected[:10]}"), atomic_write(str(tmp_path / name)) as out:
        out.write(b"x")
    assert names(tmp_path) == before
    assert (tmp_path / "target").read_bytes() == b"theirs"


@posix
def test_a_second_name_keeps_the_old_bytes(tmp_path):
    """A new file takes over the one name; what else leads to the old file still does."""
    odd_things(tmp_path)
    with atomic_write(str(tmp_path / "second")) as out:
        out.write(b"new")
    assert (tmp_path / "target").read_bytes() == b"theirs"
    assert (tmp_path / "second").read_bytes() == b"new"


def test_a_missing_folder_is_said(tmp_path):
    """With the path that was to be written."""
    with (
        pytest.raises(ConfigError, match=r"writing .*no/out\.csv: No such file"),
        atomic_write(str(tmp_path / "no" / "out.csv")),
    ):
        pass


def test_a_bare_and_a_very_long_name_work(tmp_path, monkeypatch):
    """The temporary name is no longer than the file system allows, and lies in the same folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("out.csv", "x" * 255):
        with atomic_write(name) as out:
            out.write(b"x")
    assert names(tmp_path) == ["out.csv", "x" * 255]


# lock_fd


def test_a_lock_is_held_by_one_at_a_time(tmp_path):
    """A second opening is told no at once, and yes after the first has let go."""
    first, second = (open_private(str(tmp_path / "lock"), CREATE) for _ in range(2))
    try:
        assert lock_fd(first, wait=False) is True
        assert lock_fd(second, wait=False) is False
        unlock_fd(first)
        assert lock_fd(second, wait=False) is True
    finally:
        os.close(first)
        os.close(second)


def test_who_waits_gets_the_lock_when_it_is_free(tmp_path):
    """`wait=True` comes back once the holder has let go, and not before."""
    first, second = (open_private(str(tmp_path / "lock"), CREATE) for _ in range(2))
    order = []

    def waiter():
        assert lock_fd(second, wait=True) is True
        order.append("waiter")

    try:
        lock_fd(first, wait=True)
        thread = threading.Thread(target=waiter)
        thread.start()
        thread.join(0.05)
        order.append("holder")
        unlock_fd(first)
        thread.join(10)
        assert order == ["holder", "waiter"]
    finally:
        os.close(first)
        os.close(second)


@posix
def test_the_lock_of_a_killed_process_is_free(tmp_path):
    """No PID is looked at: the kernel frees the lock with the process."""
    path = str(tmp_path / "lock")
    code = (
        f"import os, sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from agent_os.core.files import lock_fd, open_private\n"
        f"fd = open_private({path!r}, os.O_RDWR | os.O_CREAT)\n"
        "assert lock_fd(fd, wait=False); print('held', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert select.select([holder.stdout], [], [], 10)[0]
        assert holder.stdout.readline() == b"held\n"
        fd = open_private(path, CREATE)
        try:
            assert lock_fd(fd, wait=False) is False
            holder.kill()
            holder.wait()
            assert lock_fd(fd, wait=False) is True
        finally:
            os.close(fd)


def test_a_descriptor_that_cannot_be_locked_is_said():
    """A system call that fails is an error of ours."""
    with pytest.raises(ConfigError, match="locking a file: Bad file descriptor"):
        lock_fd(987, wait=False)
    with pytest.raises(ConfigError, match="unlocking a file: Bad file descriptor"):
        unlock_fd(987)
