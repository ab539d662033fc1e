"""S3FD, the face detector (Zhang et al., "S3FD: Single Shot Scale-invariant Face Detector", 2017) as a frozen graph.

VGG16's body; six heads, the finest of stride 4, each with two numbers a place (no face, face) and four (where and how
large). Answers to the network inside facelib.S3FDExtractor of stock.
"""
import numpy as np

from .devices import Session

MEAN = (104.0, 117.0, 123.0)   # taken off the channels as they come: stock gives RGB to a mean that is meant for BGR

_BODY = ((("conv1_1", 64), ("conv1_2", 64)), (("conv2_1", 128), ("conv2_2", 128)),
         (("conv3_1", 256), ("conv3_2", 256), ("conv3_3", 256)), (("conv4_1", 512), ("conv4_2", 512), ("conv4_3", 512)),
         (("conv5_1", 512), ("conv5_2", 512), ("conv5_3", 512)))
_NORMED = ("conv3_3", "conv4_3", "conv5_3")   # whose features are brought to a learned length for their heads


class S3FD:
    """The network on one device. `run` may be called from any thread."""

    def __init__(self, weights, device, devices=None, cpu_threads=0):
        """weights: weights.Weights of S3FD.npy. The rest as devices.Session. Raises host.UserError."""
        self._session = Session(_Graph(weights).build, device, devices, cpu_threads)

    def run(self, images):
        """Return what the six heads say of a batch: [scores, places] of stride 4, then 8 to 128.

        images: uint8 (n, H, W, 3) RGB. scores: float32 (n, h, w), probability of a face, 0..1; places: float32
        (n, h, w, 4), offset and log size relative to the prior box.
        """
        return self._session.run(images)

    def close(self):
        self._session.close()


class _Graph:
    def __init__(self, weights):
        self._weights = weights

    def build(self, tf, constant):
        """Make the graph. Returns (input, outputs)."""
        self._tf, self._constant = tf, constant
        images = tf.placeholder(tf.uint8, (None, None, None, 3))
        x = tf.cast(images, tf.float32) - constant(np.array(MEAN, np.float32))
        channels, features = 3, []
        for block in _BODY:
            for name, filters in block:
                x = self._conv(x, name, channels, filters)
                channels = filters
            if name in _NORMED:
                features.append((self._normed(x, name + "_norm", channels), name + "_norm", channels))
            x = tf.nn.max_pool2d(x, 2, 2, "VALID")
        x = self._conv(x, "fc6", 512, 1024, padding=3)
        x = self._conv(x, "fc7", 1024, 1024, size=1)
        features.append((x, "fc7", 1024))
        x = self._conv(x, "conv6_1", 1024, 256, size=1)
        x = self._conv(x, "conv6_2", 256, 512, stride=2, padding=1)
        features.append((x, "conv6_2", 512))
        x = self._conv(x, "conv7_1", 512, 128, size=1)
        x = self._conv(x, "conv7_2", 128, 256, stride=2, padding=1)
        features.append((x, "conv7_2", 256))
        return images, [output for feature in features for output in self._head(*feature)]

    def _conv(self, x, name, channels, filters, size=3, stride=1, padding=None, relu=True):
        tf, take = self._tf, self._weights.take
        if padding is not None:
            x = tf.pad(x, [[0, 0], [padding, padding], [padding, padding], [0, 0]])
        x = tf.nn.conv2d(x, self._constant(take(name + "/weight", size, size, channels, filters)),
                         strides=[1, stride, stride, 1], padding="SAME" if padding is None else "VALID")
        x = tf.nn.bias_add(x, self._constant(take(name + "/bias", filters)))
        return tf.nn.relu(x) if relu else x

    def _normed(self, x, name, channels):
        tf = self._tf
        length = tf.sqrt(tf.reduce_sum(tf.square(x), axis=-1, keepdims=True)) + 1e-10
        return x / length * self._constant(self._weights.take(name + "/weight", 1, 1, 1, channels))

    def _head(self, x, name, channels):
        """Return the scores and places of one stride."""
        tf = self._tf
        classes = 4 if name == "conv3_3_norm" else 2
        # Both questions are put in one convolution: the features are read once.
        take = self._weights.take
        kernel = np.concatenate([take(name + "_mbox_conf/weight", 3, 3, channels, classes),
                                 take(name + "_mbox_loc/weight", 3, 3, channels, 4)], axis=-1)
        bias = np.concatenate([take(name + "_mbox_conf/bias", classes), take(name + "_mbox_loc/bias", 4)])
        x = tf.nn.bias_add(tf.nn.conv2d(x, self._constant(kernel), strides=[1, 1, 1, 1], padding="SAME"),
                           self._constant(bias))
        # Max-out: the finest head has three kinds of background, of which the strongest counts.
        background = tf.reduce_max(x[..., :classes - 1], axis=-1, keepdims=True)
        scores = tf.nn.softmax(tf.concat([background, x[..., classes - 1:classes]], axis=-1))
        return scores[..., 1], x[..., classes:]
