"""What another process has worked so far, as each system tells it: for telling one that is slow from one that hangs."""
import collections
import os

from . import compat

Work = collections.namedtuple("Work", "seconds bytes")
Work.__doc__ = """seconds: processor time in the program's and the system's code (float); bytes: that it has read and
written, pipes included (int)."""


def work_of(pid):
    """Return the Work of a process, None where the system does not tell (macOS) or the process is gone."""
    return _of_windows(pid) if compat.is_windows else _of_linux(pid)


def _of_linux(pid):
    try:
        with open("/proc/{}/stat".format(pid), "rb") as stream:
            fields = stream.read().rpartition(b")")[2].split()
        with open("/proc/{}/io".format(pid), "rb") as stream:
            counters = dict(line.split(b": ") for line in stream.read().splitlines())
        ticks = int(fields[11]) + int(fields[12])       # utime, stime (proc(5))
        return Work(ticks / os.sysconf("SC_CLK_TCK"), int(counters[b"rchar"]) + int(counters[b"wchar"]))
    except (OSError, ValueError, LookupError):
        return None


def _of_windows(pid):
    import ctypes
    from ctypes import wintypes

    class Counters(ctypes.Structure):       # IO_COUNTERS
        _fields_ = [(name, ctypes.c_ulonglong) for name in (
            "reads", "writes", "others", "bytes_read", "bytes_written", "bytes_of_others")]

    kernel = ctypes.WinDLL("kernel32")
    kernel.OpenProcess.argtypes = (wintypes.DWORD, wintypes.BOOL, wintypes.DWORD)
    kernel.OpenProcess.restype = wintypes.HANDLE
    kernel.GetProcessTimes.argtypes = (wintypes.HANDLE,) + (ctypes.POINTER(wintypes.FILETIME),) * 4
    kernel.GetProcessIoCounters.argtypes = (wintypes.HANDLE, ctypes.POINTER(Counters))
    kernel.CloseHandle.argtypes = (wintypes.HANDLE,)
    query_limited_information = 0x1000
    handle = kernel.OpenProcess(query_limited_information, False, pid)
    if not handle:
        return None
    try:
        start, end, of_system, of_program = times = [wintypes.FILETIME() for _ in range(4)]
        counters = Counters()
        if not (kernel.GetProcessTimes(handle, *[ctypes.byref(time) for time in times])
                and kernel.GetProcessIoCounters(handle, ctypes.byref(counters))):
            return None
        spent = sum((time.dwHighDateTime << 32) + time.dwLowDateTime for time in (of_system, of_program))   # 100 ns
        return Work(spent / 1e7, counters.bytes_read + counters.bytes_written)
    finally:
        kernel.CloseHandle(handle)
