"""Every branch on a Python version, an operating system or an optional import.

Nothing else in the project asks which system it runs on; it calls one of these functions.
Only the standard library is imported here, and what is slow of it only where it is used.
"""
import errno
import os
import stat
import sys

# Windows has no os.fork, no fcntl, cannot open folders and refuses to replace open files.
is_windows = os.name == "nt"


def system():
    """Return what this system calls itself (str), for the log."""
    import platform
    return platform.platform()


# --- processor and priority ------------------------------------------------------------------

def cpu_count():
    """Return how many cores this process may use (int, at least 1)."""
    # Only Linux tells which cores are allowed; in containers that is fewer than there are.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def free_memory():
    """Return how many bytes of memory can be had without swapping (int), None where psutil is missing."""
    try:
        import psutil
    except ImportError:
        return None  # it is proposed by requirements.txt, and not part of DeepFaceLab's own build
    return psutil.virtual_memory().available


def keep_freed_memory():
    """Let this process keep large blocks of memory that it has freed, for its next large blocks.

    Linux' C library gives them back to the system at once; a network on the processor, which frees and takes some
    hundred MB a picture, then pays for every page anew (measured: a tenth of S3FD's time). Elsewhere a no-op.
    """
    try:
        import ctypes
        mallopt = ctypes.CDLL(None).mallopt   # glibc; neither Windows nor macOS nor musl have it
    except (ImportError, OSError, TypeError, AttributeError):
        return
    arena_max, mmap_threshold, trim_threshold = -8, -3, -1
    mallopt(arena_max, 1)                     # those of other threads cannot hold blocks of more than 64 MB
    mallopt(mmap_threshold, 1 << 30)
    mallopt(trim_threshold, (1 << 31) - 1)


def detach_stdin():
    """Let every later question of this process, whoever asks, find a closed stdin."""
    if sys.stdin is None:  # pythonw on Windows
        sys.stdin = open(os.devnull)
    try:
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, sys.stdin.fileno())
        os.close(nothing)
    except (OSError, ValueError):
        sys.stdin = open(os.devnull)  # closed already, or no file


def set_lowest_priority():
    """Let every other program go first. Return whether the system agreed.

    Answers to stock's core.osex.set_process_lowest_prio: idle class on Windows, niceness elsewhere.
    """
    try:
        if is_windows:
            # Windows has priority classes (0x40 is "idle") and no os.nice.
            import ctypes
            kernel32 = ctypes.WinDLL("kernel32")
            kernel32.GetCurrentProcess.restype = ctypes.c_void_p
            kernel32.SetPriorityClass.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
            return bool(kernel32.SetPriorityClass(kernel32.GetCurrentProcess(), 0x40))
        # macOS schedules anything nicer than 10 on its slow cores only.
        os.nice(10 if sys.platform == "darwin" else 20)
    except (OSError, AttributeError):
        return False
    return True


# --- files -----------------------------------------------------------------------------------

def fsync_directory(path):
    """Make the names inside a folder survive a power cut.

    A no-op where folders cannot be opened (Windows: NTFS journals names itself) or where the
    file system does not know the call (some network shares). Raises OSError if the disk fails.
    """
    if is_windows:
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
            raise
    finally:
        os.close(handle)


def same_device(a, b):
    """Tell whether two existing paths lie on one volume, so that a rename between them works."""
    return os.stat(a).st_dev == os.stat(b).st_dev


def lock_file(handle):
    """Take an exclusive lock on an open file without waiting; the system drops it with the process.

    Raises BlockingIOError when another process holds it, another OSError when the file system
    has no locks. Closing the file gives it up.
    """
    # Windows locks byte ranges (msvcrt), POSIX locks open files (fcntl); neither has the other's call.
    if is_windows:
        import msvcrt
        handle.seek(0)
        try:
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EDEADLK):
                raise BlockingIOError(error.errno, "the file is locked by another process") from error
            raise
    else:
        import fcntl
        fcntl.flock(handle.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


def private_temp_folder():
    """Return a folder in the temp folder that belongs to this user alone, made if needed.

    Compiled code is loaded from it, so raises PermissionError when anyone else could write there.
    """
    import tempfile
    # Windows gives every user a temp folder of his own; POSIX has one that all users share.
    if is_windows:
        path = os.path.join(tempfile.gettempdir(), "dfl-accel")
        os.makedirs(path, exist_ok=True)
        return path
    path = os.path.join(tempfile.gettempdir(), "dfl-accel-{}".format(os.getuid()))
    os.makedirs(path, mode=0o700, exist_ok=True)
    status = os.lstat(path)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise PermissionError("{} can be written by other users".format(path))
    return path


def rename_no_replace(source, target):
    """Rename a file or folder on one volume; never replace what already has the new name.

    Raises FileExistsError when the target exists, OSError as os.rename does (EXDEV: other volume).
    Linux 3.15 and later refuse in one step with the rename; so does Windows. Elsewhere, and on
    file systems without the flag (some FUSE and network ones), the target is looked for first.
    """
    if is_windows:
        os.rename(source, target)
        return
    renameat2 = _renameat2()
    if renameat2 is not None:
        here = -100  # AT_FDCWD: paths are taken as every other call takes them
        if renameat2(here, os.fsencode(source), here, os.fsencode(target), 1) == 0:  # 1 is RENAME_NOREPLACE
            return
        import ctypes
        code = ctypes.get_errno()
        if code not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
            raise OSError(code, os.strerror(code), source, None, target)
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), source, None, target)
    os.rename(source, target)


_RENAMEAT2 = []  # the C function or None, once it has been looked for


def _renameat2():
    if not _RENAMEAT2:
        function = None
        try:
            # Only glibc 2.28 and musl 1.2.6 or later have it, and no Python offers it.
            import ctypes
            function = ctypes.CDLL(None, use_errno=True).renameat2
            function.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
        except (ImportError, OSError, AttributeError):
            pass
        _RENAMEAT2.append(function)
    return _RENAMEAT2[0]


def close_and_remove(handle, path):
    """Give up a lock file taken with lock_file: close it and remove it if nobody waits for it.

    POSIX removes it while still locked, so that nobody locks a file that is about to go; Windows
    refuses to remove an open file, one's own or another's, and that refusal is the protection.
    """
    if is_windows:
        handle.close()
    try:
        os.remove(path)
    except OSError:
        pass
    handle.close()


def kept_open(handle):
    """Return the options of subprocess.Popen with which a child keeps a file locked by lock_file open.

    None gives none. Windows locks files for one process alone: there the child keeps nothing.
    """
    return {} if handle is None or is_windows else {"pass_fds": (handle.fileno(),)}


# Where an environment has its Python: on Windows a virtual one in Scripts, one of conda at the top.
pythons_of_environment = ("Scripts/python.exe", "python.exe") if is_windows else ("bin/python",)

# What cannot be part of a file's name: separators, and on Windows the colon of drives and streams.
not_in_names = "/\\:\0" if is_windows else "/\0"


# --- processes -------------------------------------------------------------------------------

def kill_process(process):
    """End a multiprocessing.Process at once, whatever it is doing; no-op if it has ended."""
    try:
        if hasattr(process, "kill"):
            process.kill()
        elif is_windows:
            process.terminate()  # TerminateProcess: as final as a kill
        else:
            # Python 3.6 has no Process.kill, and a terminate (SIGTERM) can be caught.
            import signal
            os.kill(process.pid, signal.SIGKILL)
    except (OSError, ValueError):
        pass


# --- console ---------------------------------------------------------------------------------

def make_console_safe():
    """Let stdout and stderr take any text: what their encoding lacks is shown as \\uXXXX.

    A missing stream (pythonw, a service) is replaced by one that throws its text away.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
        elif hasattr(stream, "buffer"):
            # Python 3.6 has no TextIOWrapper.reconfigure: wrap the same buffer again.
            import io
            encoding, by_line = stream.encoding, stream.line_buffering
            below = stream.detach()
            at_once = isinstance(below, io.RawIOBase)  # python -u
            wrapped = io.TextIOWrapper(below, encoding=encoding, errors="backslashreplace",
                                       line_buffering=by_line, write_through=at_once)
            setattr(sys, name, wrapped)
            setattr(sys, "__{}__".format(name), wrapped)  # the old stream has lost its buffer


# --- ffmpeg ----------------------------------------------------------------------------------

# What pip is to install where there is no ffmpeg: on Python 3.6 the last release that works there.
ffmpeg_package = "imageio-ffmpeg" if sys.version_info >= (3, 7) else "imageio-ffmpeg==0.4.9"


def bundled_ffmpeg():
    """Return the path of the ffmpeg that the package imageio-ffmpeg brings, or None without one that works."""
    try:
        # An extra where there is no other ffmpeg; its 0.5 installs on Python 3.6 and does not import there.
        import imageio_ffmpeg
        return imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError, OSError):
        return None


def user_cache_folder():
    """Return the folder in which this user's programs keep what they can make again, made if needed.

    Raises OSError when it cannot be made.
    """
    # Windows has %LOCALAPPDATA%, everything else the XDG rule.
    if is_windows:
        above = os.environ.get("LOCALAPPDATA") or os.path.expanduser("~")
    else:
        above = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = os.path.join(above, "dfl-accel")
    os.makedirs(path, exist_ok=True)
    return path


def has_display():
    """Tell whether windows have a display; True when in doubt."""
    if is_windows or sys.platform == "darwin":
        return True   # these always have one; elsewhere the X server or Wayland has to be named
    display = os.environ.get("DISPLAY", "")
    if not display:
        return bool(os.environ.get("WAYLAND_DISPLAY"))
    computer, _, screen = display.partition(":")
    number = screen.partition(".")[0]
    if computer not in ("", "unix") or not number.isdigit():
        return True
    # Linux listens at an abstract name, too; a container is often given the file alone.
    return any(_listens(name + number) for name in ("\0/tmp/.X11-unix/X", "/tmp/.X11-unix/X"))


def _listens(name):
    import socket
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(name)
        except OSError:
            return False
    return True


# --- numba -----------------------------------------------------------------------------------

def has_compiler():
    """Tell whether numba is there, and compiles: uncompiled kernels may be slower than what they stand for."""
    try:
        import numba
    except (ImportError, OSError):
        return False
    return not numba.config.DISABLE_JIT


def jit(**options):
    """Return a decorator: numba.njit with nogil=True and a cache on disk that cannot break a run.

    The first folder that can be written is used: NUMBA_CACHE_DIR, `__pycache__` beside the module,
    numba's folder for the user, a private one in the temp folder; with none, nothing is cached.
    With NUMBA_DISABLE_JIT=1 the function stays plain Python. No signatures are taken: a kernel is
    compiled for the types that it is called with.
    """
    import numba

    def decorate(function):
        if numba.config.DISABLE_JIT:
            return function
        kernel = numba.njit(nogil=True, **options)(function)
        cache = _open_kernel_cache(function)
        if cache is not None:
            kernel._cache = cache  # where Dispatcher.enable_caching puts numba's own
        return kernel
    return decorate


def _open_kernel_cache(function):
    import numba
    from . import kernel_cache
    # numba says RuntimeError when it finds no folder; ValueError: a path that is not valid Unicode.
    unusable = (RuntimeError, OSError, ValueError)
    try:
        return kernel_cache.KernelCache(function)
    except unusable:
        pass
    chosen_by_user = numba.config.CACHE_DIR
    try:
        numba.config.CACHE_DIR = private_temp_folder()
        return kernel_cache.KernelCache(function)
    except unusable:
        return None
    finally:
        numba.config.CACHE_DIR = chosen_by_user
