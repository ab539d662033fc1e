"""Graphics cards and the processor, and TensorFlow's sessions on them.

Networks run in graph mode: one graph and session a network and device, weights frozen into the graph, so that
TensorFlow (1.15 to today's) can fuse and place what it likes before the first run.
"""
import collections

import numpy as np

from .. import host

_SMALL_GB = 4   # with less memory than this, stock keeps the weights in the computer's own


class Device(collections.namedtuple("Device", "kind index name memory_gb")):
    """kind: TensorFlow's name, "GPU", "DML" or "CPU"; index: its number among all of the kind, as DeepFaceLab shows
    it; name: for people; memory_gb: float, 0 where it is not known."""
    __slots__ = ()

    @property
    def is_cpu(self):
        """Whether it is the processor."""
        return self.kind == "CPU"

    @property
    def is_small(self):
        """Whether weights had better stay in the computer's memory."""
        return not self.is_cpu and 0 < self.memory_gb < _SMALL_GB


CPU = Device("CPU", 0, "CPU", 0.0)


def tensorflow():
    """Return TensorFlow's module of graphs and sessions; it is silent but for errors. Takes seconds the first time."""
    import logging
    import os
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow.compat.v1 as tf
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    return tf


def current(weights_on_cpu=False):
    """Return the Device on which this process runs its networks: DeepFaceLab's choice where it is there.

    weights_on_cpu: treat it as a small one.
    """
    nn = host.stock_networks()
    if nn is None:
        cards = graphics_cards(only_one=True)
    else:
        nn.initialize(data_format="NHWC")
        cards = [Device(device.tf_dev_type, device.index, device.name, device.total_mem_gb)
                 for device in nn.getCurrentDeviceConfig().devices]
    device = cards[0] if cards else CPU
    return device._replace(memory_gb=_SMALL_GB / 2.0) if weights_on_cpu and not device.is_cpu else device


def graphics_cards(numbers=None, only_one=False):
    """Return the graphics cards that TensorFlow finds (list of Device), those of these numbers if any are given."""
    tf = tensorflow()
    cards = [Device("GPU", index, "GPU {}".format(index), 0.0)
             for index in range(len(tf.config.experimental.list_physical_devices("GPU")))]
    if numbers:
        cards = [card for card in cards if card.index in numbers]
    return cards[:1] if only_one else cards


class Session:
    """A network on a device: `run` may be called from any thread."""

    def __init__(self, build, device, devices=None, cpu_threads=0):
        """build: function of (tf, constant) that makes the graph and returns its (input, outputs); constant(array)
        makes a frozen weight. devices: all Devices that this process uses (default: this one), since TensorFlow
        fixes their list with the first session. cpu_threads: threads of one run on the CPU; 0: all cores.
        """
        tf = tensorflow()
        graph = tf.Graph()
        with graph.as_default(), tf.device(_place(device, devices)):
            def constant(array):
                if device.is_small:
                    with tf.device("/CPU:0"):
                        return tf.constant(array)
                return tf.constant(array)
            self._input, self._outputs = build(tf, constant)
        self._session = tf.Session(graph=graph, config=_config(tf, device, devices, cpu_threads))

    def run(self, images, part=slice(None)):
        """Return outputs (list of arrays; part: slice of them) for a batch, an array of the input's type."""
        return self._session.run(self._outputs[part], {self._input: np.ascontiguousarray(images)})

    def close(self):
        """Give the device free."""
        self._session.close()


def _place(device, devices):
    # Within a process the cards in use are counted from 0 again.
    order = 0 if device.is_cpu or devices is None else [other.index for other in devices].index(device.index)
    return "/{}:{}".format(device.kind, order)


def _config(tf, device, devices, cpu_threads):
    if device.is_cpu:
        # The pools of TensorFlow belong to the process unless each session has its own.
        return tf.ConfigProto(device_count={"GPU": 0}, intra_op_parallelism_threads=cpu_threads,
                              use_per_session_threads=cpu_threads != 0)
    config = tf.ConfigProto(allow_soft_placement=True)
    config.gpu_options.visible_device_list = ",".join(str(other.index) for other in devices or [device])
    config.gpu_options.allow_growth = True
    config.gpu_options.force_gpu_compatible = True
    return config
