"""Processes that tests have started, as psutil sees them."""
import psutil


def words_of(process):
    """Return the command line (str) of a process, "" if it is gone or only waits to be collected."""
    try:
        return " ".join(process.cmdline()) if process.status() != psutil.STATUS_ZOMBIE else ""
    except psutil.Error:
        return ""


def is_tracker(process):
    """Tell whether a process is one that multiprocessing keeps beside each that uses it."""
    return "tracker" in words_of(process)
