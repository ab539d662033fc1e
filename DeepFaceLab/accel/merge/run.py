"""A merge without a window: every frame with one configuration, from the first to the last.

A run that was cut short is gone on with: what it was asked to do is kept as a fingerprint beside the model until
it has ended, its name is with the merged frames, and which of them are done is told by their files.
"""
import collections
import errno
import hashlib
import json
import os
import uuid

import numpy as np

from .. import files, host
from ..os_errors import advice, reason
from . import pipeline
from .faces import Motion
from .settings import RAW_PREDICT, Settings

AHEAD = 2               # jobs a worker: one in work, one waiting, so that none waits for the main thread
SHOWN = 10              # failed frames named at the end
ALL_FAIL = 12           # if so many fail, and none has not, it is no frame's fault
SAME_ANSWER = 1 / 255.0  # two answers of one model, on a graphics card, differ by less
VERSION = 1             # of the state file
_PART = ".part"         # of the state that is being written: what a kill leaves of it has a known name
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


State = collections.namedtuple("State", "run fingerprint answer")
State.__doc__ = """A run that has not ended. run: its name (str); fingerprint: of all that can be looked up and decides
what its frames look like (str); answer: means of what the model made of a given picture (list of float)."""


def merge_all(frames, config, workers, output, state_path, probe=lambda: []):
    """Merge all frames with one configuration and show how far it is.

    frames: objects with `frame_info` as stock's (filepath, landmarks_list, motion_power, motion_deg). config: as
    settings.Settings.of takes it. workers: workers.Workers whose work takes pipeline.FrameJob. output:
    output.Output. state_path: where a run that is cut short is remembered (str). probe: function that returns the
    means (list of float) of the model's answer to a picture that is always the same.
    Raises host.UserError when the user does not want to lose earlier images, and at the end if frames failed.
    """
    settings = Settings.of(config)
    jobs = [job_of(index, frame.frame_info, settings) for index, frame in enumerate(frames)]
    if not any(job.points for job in jobs):
        host.log_err("None of the {:,} frames has a face in the aligned folder. Is it that of these frames?".format(
            len(jobs)))
    state = State(uuid.uuid4().hex, _fingerprint(jobs, output, state_path), probe())
    done = _begin(jobs, output, state_path, state)
    failures = _Failures()
    with host.progress(desc="Merging", total=len(jobs)) as bar:
        bar.update(len(done))
        _work_through([job for job in jobs if job.index not in done], workers, bar, failures)
    if failures.named:
        raise host.UserError(failures.summary(len(jobs)))
    for path in (state_path, state_path + _PART):
        files.remove_if_there(path)
    output.set_stamp(None)
    host.log_info("{:,} merged frames are in {}.".format(len(jobs), output.folder))


def job_of(index, frame_info, settings, wants_picture=False):
    """Return the FrameJob of a frame-info object as stock's."""
    return pipeline.FrameJob(index, str(frame_info.filepath), list(frame_info.landmarks_list),
                             Motion(float(frame_info.motion_power), float(frame_info.motion_deg)), settings,
                             wants_picture)


def _work_through(jobs, workers, bar, failures):
    waiting = iter(jobs)
    left = len(jobs)
    while left:
        while workers.busy < AHEAD * workers.count:
            job = next(waiting, None)
            if job is None:
                break
            if not job.points and job.settings.mode != RAW_PREDICT:
                host.log_info("no faces found for {}, copying without faces".format(os.path.basename(job.path)))
            workers.submit(job)
        for outcome in workers.poll():
            left -= 1
            if outcome.error is not None:
                failures.add(outcome.item, outcome.error)
            else:
                failures.none_succeeded = False
            bar.update(1)


class _Failures:
    """Frames that could not be merged, each told when it happens and again at the end."""

    def __init__(self):
        self.named = []
        self.none_succeeded = True

    def add(self, job, error):
        """Note a failed frame. Raises host.UserError where no other can succeed, and what is no frame's fault."""
        if not isinstance(error, Exception) or isinstance(error, host.UserError):
            raise error
        name = os.path.basename(job.path)
        if getattr(error, "errno", None) in _NO_ROOM:
            raise host.UserError("The disk is full: {} could not be written. Make room and start the same step again: "
                                 "it goes on where it stopped.".format(name)) from error
        if not os.path.isdir(os.path.dirname(job.path)):
            raise host.UserError("The folder of the frames, {}, is no longer there. Start the same step again where it "
                                 "is now.".format(os.path.dirname(job.path))) from error
        told = failure_in_words(name, error)
        host.log_err(told)
        host.log_details("{}: {!r}".format(name, error))
        self.named.append(told)
        if self.none_succeeded and len(self.named) == ALL_FAIL and not isinstance(error, pipeline.FrameError):
            raise host.UserError("The first {} frames all failed, so the merge was ended: the reason is not in the "
                                 "frames. The last one: {}".format(ALL_FAIL, told)) from error

    def summary(self, total):
        """What a user reads at the end (str)."""
        shown = self.named[:SHOWN]
        more = ["... and {:,} more".format(len(self.named) - SHOWN)] if len(self.named) > SHOWN else []
        others = ", the others are done" if len(self.named) < total else ""
        return ("{:,} of {:,} frames could not be merged{}:\n{}\nMend or replace these frames, then start the same "
                "step again: it does only what is missing.").format(
                    len(self.named), total, others, "\n".join("    " + line for line in shown + more))


def failure_in_words(name, error):
    """Return one line (str) on why a frame failed."""
    if isinstance(error, pipeline.FrameError):
        return str(error)
    if isinstance(error, MemoryError) or "Insufficient memory" in str(error):   # OpenCV's words
        return "{}: there is not enough memory. Start again with fewer workers.".format(name)
    if isinstance(error, OSError):
        return "{} could not be written: {}".format(name, error.strerror or error)
    return "{} could not be merged ({}: {})".format(name, type(error).__name__, str(error).partition("\n")[0])


# --- a run that was cut short ----------------------------------------------------------------

def _begin(jobs, output, state_path, state):
    """Make room for the output, or find what an earlier run has done. Return the indexes of done frames (set)."""
    if _is_of(state, _read_state(state_path), output):
        done = {job.index for job in jobs if output.is_done(_stem(job))}
        if done and host.ask_bool("An earlier merge of these frames with the same settings stopped after {:,} of {:,} "
                                  "frames. Go on with it?".format(len(done), len(jobs)), True):
            return done
    earlier = asked_to_delete(output)
    try:  # a state whose stamp is not there says nothing: it can be written while the earlier images still stand
        files.write_atomic(state_path, json.dumps(dict(state._asdict(), version=VERSION)).encode("ascii"),
                           state_path + _PART)
        if earlier:
            output.delete_earlier()
        output.set_stamp(state.run)
    except OSError as error:
        raise host.UserError("The merge cannot begin: {}. {}".format(reason(error), advice(error))) from error
    return set()


def _is_of(state, earlier, output):
    """Tell whether the frames in the output folder are those of a run like this one."""
    return (earlier is not None and earlier.fingerprint == state.fingerprint and earlier.run == output.stamp()
            and np.shape(earlier.answer) == np.shape(state.answer)
            and np.allclose(earlier.answer, state.answer, rtol=0, atol=SAME_ANSWER))


def asked_to_delete(output):
    """Tell whether there are images of an earlier merge, after asking whether they may go.

    Raises host.UserError if the user wants to keep them.
    """
    earlier = output.earlier_images()
    if not earlier:
        return False
    folders = sorted({os.path.dirname(path) for path in earlier})
    if not host.ask_bool("{:,} images of an earlier merge in {} will be deleted. Go on?".format(
            len(earlier), " and ".join(folders)), True):
        raise host.UserError("Nothing was changed. Move the images of the earlier merge to another folder, then start "
                             "again.")
    return True


def _stem(job):
    return os.path.splitext(os.path.basename(job.path))[0]


def _read_state(state_path):
    """Return the State of the run that was cut short, None if there is none."""
    try:
        found = json.loads(files.read_bytes(state_path).decode("ascii"))
        if found["version"] == VERSION and all(isinstance(value, float) for value in found["answer"]):
            return State(str(found["run"]), str(found["fingerprint"]), found["answer"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def _fingerprint(jobs, output, state_path):
    """Return a hash (str) of all that decides what the merged frames look like."""
    digest = hashlib.sha256()

    def add(*facts):
        digest.update(repr(facts).encode("utf-8", "surrogatepass"))

    add("merge", VERSION, output.format, os.path.realpath(output.folder), os.path.realpath(output.mask_folder),
        tuple(jobs[0].settings), _model_files(state_path))
    for job in jobs:
        about = os.stat(job.path)
        add(os.path.basename(job.path), about.st_size, about.st_mtime_ns, tuple(job.motion))
        for points in job.points:
            digest.update(points.tobytes())
    return digest.hexdigest()


def _model_files(state_path):
    """Names, sizes and times of weights: those that share their first words with the state file, and XSeg's."""
    folder, name = os.path.split(os.path.abspath(state_path))
    model = name[:name.rindex("_merger_")] if "_merger_" in name else name
    try:
        with os.scandir(folder) as entries:
            return sorted((entry.name, entry.stat().st_size, entry.stat().st_mtime_ns) for entry in entries
                          if entry.name.startswith((model, "XSeg")) and entry.name.endswith((".npy", "_data.dat")))
    except OSError:
        return []
