"""FAN, the aligner (Bulat and Tzimiropoulos, "How far are we from solving the 2D & 3D face alignment problem?", 2017).

Four stacked hourglasses turn a face of 256 px into 68 heat maps of 64 px, one a landmark. Answers to the network inside
facelib.FANExtractor of stock, which runs 2DFAN.npy and 3DFAN.npy through the same graph.

Batch normalisation is folded: into the convolution before it where there is one, else into one scale and one offset.
Only the last stack's maps are used; the other three feed the next stack through two linear layers, which are one.
"""
import numpy as np

from .devices import Session

SIZE = 256          # px of a face
MAP_SIZE = 64       # px of a heat map
LANDMARKS = 68
_STACKS = 4
_DEPTH = 4
_CHANNELS = 256
_EPSILON = 1e-5     # of batch normalisation


class FAN:
    """The network on one device. Its methods may be called from any thread."""

    def __init__(self, weights, device, devices=None, cpu_threads=0):
        """weights: weights.Weights of 2DFAN.npy or 3DFAN.npy. The rest as devices.Session. Raises host.UserError."""
        self._session = Session(_Graph(weights).build, device, devices, cpu_threads)

    def run(self, images):
        """Return [peaks] of a batch: where the heat maps are highest, float32 (n, 68, 2), x and y in px of a map.

        images: uint8 (n, 256, 256, 3) RGB. A peak is moved by a quarter of a pixel towards its higher neighbour,
        in x and in y, unless it lies on the edge. The first of equal peaks counts.
        """
        return self._session.run(images, slice(1, None))

    def heat_maps(self, images):
        """Return the heat maps of a batch, float32 (n, 68, 64, 64)."""
        return self._session.run(images, slice(0, 1))[0]

    def close(self):
        self._session.close()


class _Graph:
    def __init__(self, weights):
        self._weights = weights

    def build(self, tf, constant):
        """Make the graph. Returns (input, outputs)."""
        self._tf, self._constant = tf, constant
        images = tf.placeholder(tf.uint8, (None, SIZE, SIZE, 3))
        x = tf.cast(images, tf.float32) / 255.0
        kernel, bias = self._folded("conv1", "bn1", 7, 3, 64)
        x = tf.pad(x, [[0, 0], [3, 3], [3, 3], [0, 0]])
        x = tf.nn.relu(self._conv(x, kernel, bias, stride=2, padding="VALID"))
        x = self._block(x, "conv2", 64, 128)
        x = tf.nn.avg_pool2d(x, 2, 2, "VALID")
        x = self._block(x, "conv3", 128, 128)
        x = self._block(x, "conv4", 128, _CHANNELS)
        for stack in range(_STACKS):
            features = self._hourglass(x, "m_{}".format(stack), _DEPTH)
            features = self._block(features, "top_m_{}".format(stack), _CHANNELS, _CHANNELS)
            last = self._folded("conv_last_{}".format(stack), "bn_end_{}".format(stack), 1, _CHANNELS, _CHANNELS)
            features = tf.nn.relu(self._conv(features, *last))
            if stack < _STACKS - 1:
                x = x + self._conv(features, *self._feedback(stack))
        maps = self._conv(features, *self._linear("l_{}".format(_STACKS - 1), _CHANNELS, LANDMARKS))
        maps = tf.transpose(maps, (0, 3, 1, 2))
        return images, [maps, self._peaks(maps)]

    def _peaks(self, maps):
        """What `run` returns of the maps: a few numbers leave a graphics card in the place of a megabyte a face."""
        tf = self._tf
        places = MAP_SIZE * MAP_SIZE
        maps = tf.reshape(maps, (-1, LANDMARKS, places))
        highest = tf.reduce_max(maps, axis=-1, keepdims=True)
        # tf.argmax does not say which of equal values it finds.
        numbers = tf.zeros_like(maps, tf.int32) + tf.range(places)
        first = tf.where(maps >= highest, numbers, tf.zeros_like(numbers) + places)
        place = tf.minimum(tf.reduce_min(first, axis=-1), places - 1)
        x, y = place % MAP_SIZE, place // MAP_SIZE
        around = tf.stack([place + step for step in (1, -1, MAP_SIZE, -MAP_SIZE)], axis=-1)
        around = tf.gather(maps, tf.clip_by_value(around, 0, places - 1), batch_dims=2)
        towards = tf.sign(tf.stack([around[..., 0] - around[..., 1], around[..., 2] - around[..., 3]], axis=-1)) * 0.25
        last = MAP_SIZE - 1
        inside = tf.logical_and(tf.logical_and(x > 0, x < last), tf.logical_and(y > 0, y < last))
        return tf.cast(tf.stack([x, y], axis=-1), tf.float32) + towards * tf.cast(inside, tf.float32)[..., None]

    def _hourglass(self, x, name, depth):
        """Down to half of the size, through the next smaller hourglass, up again, added to a way around."""
        tf = self._tf
        around = self._block(x, name + "/b1", _CHANNELS, _CHANNELS)
        low = tf.nn.avg_pool2d(x, 2, 2, "VALID")
        low = self._block(low, name + "/b2", _CHANNELS, _CHANNELS)
        if depth > 1:
            low = self._hourglass(low, name + "/b2_plus", depth - 1)
        else:
            low = self._block(low, name + "/b2_plus", _CHANNELS, _CHANNELS)
        low = self._block(low, name + "/b3", _CHANNELS, _CHANNELS)
        return around + self._doubled(low, MAP_SIZE >> (_DEPTH - depth))

    def _doubled(self, x, size):
        """Each place of x four times: nearest-neighbour enlargement to `size` px."""
        tf = self._tf
        half = size // 2
        x = tf.reshape(x, (-1, half, 1, half, 1, _CHANNELS))
        return tf.reshape(tf.tile(x, (1, 1, 2, 1, 2, 1)), (-1, size, size, _CHANNELS))

    def _block(self, x, name, channels, filters):
        """Three convolutions, each of the one before it; their outputs side by side, added to the input."""
        tf = self._tf
        outputs, y, inner = [], x, channels
        for number, wide in ((1, filters // 2), (2, filters // 4), (3, filters // 4)):
            y = self._conv(self._normed(y, "{}/bn{}".format(name, number), inner),
                           self._take("{}/conv{}/weight".format(name, number), 3, 3, inner, wide))
            outputs.append(y)
            inner = wide
        if channels != filters:
            x = self._conv(self._normed(x, name + "/down_bn1", channels),
                           self._take(name + "/down_conv1/weight", 1, 1, channels, filters))
        return tf.concat(outputs, axis=-1) + x

    def _normed(self, x, name, channels):
        """Batch normalisation and ReLU."""
        scale, offset = self._scale_and_offset(name, channels)
        scale, offset = (self._constant(array.astype(np.float32)) for array in (scale, offset))
        return self._tf.nn.relu(x * scale + offset)

    def _conv(self, x, kernel, bias=None, stride=1, padding="SAME"):
        tf = self._tf
        x = tf.nn.conv2d(x, self._constant(kernel), strides=[1, stride, stride, 1], padding=padding)
        return x if bias is None else tf.nn.bias_add(x, self._constant(bias))

    # --- weights ---

    def _take(self, name, *dimensions):
        return self._weights.take(name, *dimensions)

    def _scale_and_offset(self, name, channels):
        """Batch normalisation as x * scale + offset: two float64 (channels,)."""
        weight, bias, mean, variance = (self._take("{}/{}".format(name, part), channels).astype(np.float64)
                                        for part in ("weight", "bias", "running_mean", "running_var"))
        scale = weight / np.sqrt(variance + _EPSILON)
        return scale, bias - mean * scale

    def _folded(self, conv, norm, size, channels, filters):
        """A convolution with bias and the normalisation behind it as one: kernel and bias, float32."""
        scale, offset = self._scale_and_offset(norm, filters)
        kernel = self._take(conv + "/weight", size, size, channels, filters) * scale
        bias = self._take(conv + "/bias", filters) * scale + offset
        return kernel.astype(np.float32), bias.astype(np.float32)

    def _linear(self, name, channels, filters):
        return self._take(name + "/weight", 1, 1, channels, filters), self._take(name + "/bias", filters)

    def _feedback(self, stack):
        """What a stack hands on, bl(features) + al(l(features)), as one layer: kernel and bias, float32."""
        names = ("{}_{}".format(layer, stack) for layer in ("bl", "al", "l"))
        shapes = ((_CHANNELS, _CHANNELS), (LANDMARKS, _CHANNELS), (_CHANNELS, LANDMARKS))
        (direct, direct_bias), (back, back_bias), (maps, maps_bias) = (
            [array.astype(np.float64) for array in self._linear(name, *shape)] for name, shape in zip(names, shapes))
        kernel = direct[0, 0] + maps[0, 0].dot(back[0, 0])
        bias = direct_bias + back_bias + maps_bias.dot(back[0, 0])
        return kernel[None, None].astype(np.float32), bias.astype(np.float32)
