"""Seamless cloning: a face takes the place of the frame's pixels, its brightness bent to meet the frame at the edges.

The Poisson equation of Perez, Gangnet, Blake, "Poisson Image Editing" (2003), as cv2.seamlessClone of OpenCV 4.1.0
sets it up, whatever OpenCV is installed (later ones place and erode the mask in other ways). OpenCV transforms by
sines along both axes, with lengths that the mask dictates; a length with a large prime factor makes it slow. Here
only what the clone adds to the frame is solved for, in three steps that work with any size:

- sine transforms along the rows, of a domain that is widened on the right to a length that suits the FFT;
- a tridiagonal system down the columns for every sine wave;
- the added value is brought to zero on the true right edge by charges on that line (the capacitance matrix method
  of Buzbee, Dorr, George, Golub, 1971), which the sine transform of that one line turns into a division.

OpenCV rounds the eigenvalues of the longest waves to float32, which moves its result by up to 1.5 levels of 255 in a
box of 900 x 1100 px and by up to 17 in one of 2000 x 2160. That error is added on purpose: `_Rounding`.
"""
import cv2
import numpy as np

from .. import compat

_EROSION = np.ones((7, 7), np.uint8)    # three times by 3 x 3
_SMALLEST_BOX = 3                       # px; OpenCV fails below
_HALF = np.float32(0.5)
_ONE = np.float32(1)
_WHITE = np.float32(255)
# Added to every term, so that waves that fade from row to row stay out of the slow denormal numbers.
_FAINT = np.float32(1e-20)


def seamless_clone(frame, patch, mask, left, top):
    """Return a window of the frame with the patch cloned into it: uint8 (h, w, 3).

    frame: uint8 (H, W, 3), the whole frame, only read; may be a view. patch: uint8 (h, w, 3), a window of a picture
    of the frame's size. mask: uint8 (h, w), 0 or 255; taken for 0 outside of the window. left, top: of the window
    in the frame, px.
    Pixels that the clone leaves alone are the frame's. Raises ValueError where there is too little of the mask to
    work on (OpenCV raises an error there, or brings the process down).
    Answers to cv2.seamlessClone(patch, frame, mask, centre, cv2.NORMAL_CLONE) of OpenCV 4.1.0 with stock's centre,
    the middle of the mask's bounding box; equal to it within 1 level.
    """
    source, target, mask = _boxes(frame.shape, mask, left, top)
    height, width = patch.shape[:2]
    result = frame[top:top + height, left:left + width].copy()
    core = cv2.erode(mask, _EROSION, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    under = np.ascontiguousarray(result[target])
    result[target] = _clone(under, np.ascontiguousarray(patch[source]), core)
    return result


def _boxes(shape, mask, left, top):
    """Return where in the window the patch is taken and where it is put (pairs of slices), and the mask in there.

    OpenCV ignores the mask on the frame's outermost pixels, but the centre is that of the whole mask: with a mask
    that touches one edge the two boxes may lie a pixel apart. (For a mask with a line along an edge only, much more.)
    """
    x, y, width, height = cv2.boundingRect(mask)
    if not width:
        raise ValueError("an empty mask cannot be cloned")
    centre_x, centre_y = x + width // 2, y + height // 2
    inner = mask[y:y + height, x:x + width].copy()
    for line, is_outermost in ((inner[:1], y + top == 0), (inner[-1:], y + height + top == shape[0]),
                               (inner[:, :1], x + left == 0), (inner[:, -1:], x + width + left == shape[1])):
        if is_outermost:
            line[:] = 0
    dx, dy, width, height = cv2.boundingRect(inner)
    if min(width, height) < _SMALLEST_BOX:
        raise ValueError("a mask of {} x {} px is too small for a seamless clone".format(width, height))
    put_x, put_y = centre_x - width // 2, centre_y - height // 2
    source = slice(y + dy, y + dy + height), slice(x + dx, x + dx + width)
    target = slice(put_y, put_y + height), slice(put_x, put_x + width)
    return source, target, np.ascontiguousarray(inner[dy:dy + height, dx:dx + width])


def _clone(under, patch, core):
    """Return the clone in its box: uint8 (h, w, 3). under, patch: of that shape. core: uint8 (h, w), 0 or more."""
    height, width = core.shape
    domain = _Domain(height, width)
    rounding = _Rounding(height, width)
    result = under.copy()
    for channel in range(3):
        _sources(under, patch, channel, core, domain.sines, domain.rows)
        domain.solve()
        amplitudes = rounding.amplitudes(under, channel, domain.rows)
        _finish(under, channel, domain.rows, amplitudes, rounding.sines_y, rounding.sines_x, rounding.step, result)
    return result


class _Domain:
    """The tables and the work space of a box of some size. rows: float32 (h - 2, at least w - 1), [y - 1, x]."""

    def __init__(self, height, width):
        self.edge = width - 1
        self.length = length = _fast_length(self.edge)
        turns = np.pi / length * np.arange(length)
        self.sines = np.sin(turns).astype(np.float32)
        self.on_edge = np.sin(turns * self.edge).astype(np.float32)
        self.rows = np.empty((height - 2, length), np.float32)
        self.fade = np.empty_like(self.rows)
        _fading((4 * np.sin(turns / 2) ** 2).astype(np.float32), self.fade)
        self.is_widened = length != self.edge
        self.work = np.empty_like(self.rows) if self.is_widened else None

    def solve(self):
        """Turn the folded right side of the equation in `rows` into its solution, zero on the box's edge."""
        rows, scale = self.rows, 2.0 / self.length
        cv2.dft(rows, rows, flags=cv2.DFT_ROWS)
        _sweep_down(rows, self.fade)
        if self.is_widened:
            values = np.empty(len(rows))
            _sweep_up_to_edge(rows, self.fade, self.on_edge, values)
            charges = _edge_charges(values * scale, self.edge, self.length)
            _discharge(rows, self.fade, self.on_edge, charges.astype(np.float32), self.sines, self.work)
        else:
            _sweep_up(rows, self.fade, self.sines)
        cv2.dft(rows, rows, flags=cv2.DFT_ROWS)
        _unfold_all(rows, np.float32(scale))


def _fast_length(smallest):
    """Return the smallest even number of factors 2, 3, 5 that is not below `smallest`."""
    length = smallest + smallest % 2
    while True:
        rest = length
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
        length += 2


def _edge_charges(values, edge, length):
    """Return the Laplacian, on the line x = edge, of a field that is -values there and 0 on the domain's border.

    values: float64 (h - 2,). The domain is 0..length wide. For each sine wave down the line a charge of 1 makes a
    field of sinh(a edge) sinh(a (length - edge)) / (sinh(a) sinh(a length)) on it, cosh(a) = 2 - cos(wave).
    """
    count = len(values) + 1
    waves = _sine_sums(values)
    rate = 2 * np.arcsinh(np.sin(np.pi / (2 * count) * np.arange(1, count)))
    field = np.expm1(-2 * rate * edge) * np.expm1(-2 * rate * (length - edge)) / (
        -2 * np.sinh(rate) * np.expm1(-2 * rate * length))
    return _sine_sums(waves / field) * (2.0 / count)


def _sine_sums(values):
    """Return sum(values[y] * sin(pi * y * k / n)), y and k in 1..n - 1: float64, for any n."""
    odd = np.concatenate([[0.0], values, [0.0], -values[::-1]])
    return -0.5 * np.fft.rfft(odd).imag[1:len(values) + 1]


# --- OpenCV's rounding of the longest waves --------------------------------------------------

class _Rounding:
    """What OpenCV's rounding adds to a box of some size, as sine waves of small numbers down and across.

    OpenCV divides the wave (k, j) of the whole result by float32(2 cos(.) + 2 cos(.) - 4) in place of the exact
    number. Only the longest waves feel it, and their amplitudes are read from the means of cells.
    """

    def __init__(self, height, width):
        self.sines_y, exact_y, rounded_y = _long_waves(height)
        self.sines_x, exact_x, rounded_x = _long_waves(width)
        exact, rounded = exact_x + exact_y[:, None], rounded_x + rounded_y[:, None] - np.float32(4)
        rounded[rounded == 0] = -np.inf     # a box beyond 8000 px, where OpenCV's result is not a number
        self.share = np.where(np.isinf(rounded), 0, exact / rounded - 1)
        self.cells_y, self.readers_y = _cells(self.sines_y)
        self.cells_x, self.readers_x = _cells(self.sines_x)
        self.step = max(1, int(np.diff(self.cells_y).min()))    # rows, little beside the shortest of the waves

    def amplitudes(self, under, channel, added):
        """Return the waves' amplitudes in a channel: float32 (n, m). added: float32 (h - 2, at least w - 1)."""
        sums = np.zeros((len(self.cells_y) - 1, len(self.cells_x) - 1), np.float32)
        _sum_cells(under, channel, added, self.cells_y, self.cells_x, sums)
        amplitudes = np.empty(self.share.shape, np.float32)
        _read_waves(sums, self.readers_y, self.readers_x, amplitudes)
        return (amplitudes * self.share).astype(np.float32)


def _long_waves(side):
    """Return the longest sine waves along an axis of a box: float32 (n, side); their eigenvalues, exact and rounded."""
    last = side - 1
    count = min(side - 2, int(np.ceil(0.16 * last ** (2.0 / 3.0))) + 1)
    waves = np.pi / last * np.arange(1, count + 1)
    sines = np.sin(waves[:, None] * np.arange(side)).astype(np.float32)
    return sines, -4 * np.sin(waves / 2) ** 2, np.float32(2) * np.cos(waves).astype(np.float32)


def _cells(sines):
    """Cut an axis into cells: (bounds int64 (cells + 1,), readers float32 (n, cells)).

    A reader times the sums of the cells is the amplitude of its wave.
    """
    count, side = sines.shape
    bounds = np.linspace(0, side, min(side, 8 * count) + 1).astype(np.int64)
    means = np.add.reduceat(sines, bounds[:-1], axis=1) / np.diff(bounds)
    return bounds, (means * (2.0 / (side - 1))).astype(np.float32)


# --- kernels ---------------------------------------------------------------------------------
#
# A sine transform of n - 1 values by a real FFT of n: `_fold`, cv2.dft, `_unfold` (Press et al., "Numerical
# Recipes", section 12.4.1).

@compat.jit()
def _fold(values, sines, row):
    """Prepare values[1..n - 1] for the FFT. All float32 (n,)."""
    length = len(row)
    row[0] = 0
    for x in range(1, length):
        here, there = values[x], values[length - x]
        row[x] = sines[x] * (here + there) + _HALF * (here - there)


@compat.jit()
def _unfold(row, scale):
    """Turn the FFT of a folded row, as cv2.dft packs it, into the row's sine transform, times scale, in place."""
    total = np.float64(row[0]) * 0.5    # a long sum
    following = row[1]
    row[0] = 0
    for x in range(1, len(row) - 1, 2):
        row[x] = np.float32(total) * scale
        total += following
        following = row[x + 2]
        row[x + 1] = -row[x + 1] * scale
    row[len(row) - 1] = np.float32(total) * scale


@compat.jit()
def _unfold_all(rows, scale):
    for y in range(len(rows)):
        _unfold(rows[y], scale)


@compat.jit()
def _load(under, patch, channel, core, y, difference, inside):
    """Read patch - frame and whether it is in the core, of a row, as float32 (w,)."""
    for x in range(core.shape[1]):
        difference[x] = np.float32(patch[y, x, channel]) - np.float32(under[y, x, channel])
        inside[x] = _ONE if core[y, x] else np.float32(0)


@compat.jit()
def _sources(under, patch, channel, core, sines, rows):
    """Write the folded right side of the equation into rows, float32 (h - 2, n).

    It is the divergence of the gradient of patch - frame, the gradient being taken within the core only.
    """
    height, width = core.shape
    differences = np.empty((3, width), np.float32)
    insides = np.empty((3, width), np.float32)
    values = np.zeros(rows.shape[1] + 1, np.float32)
    for y in range(2):
        _load(under, patch, channel, core, y, differences[y], insides[y])
    for y in range(1, height - 1):
        new = (y + 1) % 3
        _load(under, patch, channel, core, y + 1, differences[new], insides[new])
        above, here, below = differences[(y - 1) % 3], differences[y % 3], differences[new]
        inside_above, inside = insides[(y - 1) % 3], insides[y % 3]
        for x in range(1, width - 1):
            values[x] = (inside[x] * (here[x + 1] + below[x] - here[x] - here[x])
                         - inside[x - 1] * (here[x] - here[x - 1]) - inside_above[x] * (here[x] - above[x]))
        _fold(values, sines, rows[y - 1])


@compat.jit()
def _fading(stiffness, fade):
    """Write 1 - c: c is the factor from a row to the one above it in the eliminated system of each wave.

    c[y] = 1 / (2 + stiffness - c[y - 1]) loses the long waves to rounding, 1 - c does not: all terms are positive.
    """
    before = np.ones(len(stiffness), np.float32)
    for y in range(len(fade)):
        row = fade[y]
        for wave in range(len(stiffness)):
            term = stiffness[wave] + before[wave]
            before[wave] = term / (_ONE + term)
            row[wave] = before[wave]


@compat.jit()
def _sweep_down(rows, fade):
    """Unfold the rows and eliminate down the columns, in place."""
    before = np.zeros(rows.shape[1], np.float32)
    for y in range(len(rows)):
        row, fading = rows[y], fade[y]
        _unfold(row, _ONE)
        for wave in range(len(row)):
            value = before[wave] - row[wave] + _FAINT
            before[wave] = value - fading[wave] * value
            row[wave] = before[wave]


@compat.jit()
def _sweep_up(rows, fade, sines):
    """Substitute up the columns and fold the rows for the way back, in place."""
    values = np.zeros(rows.shape[1] + 1, np.float32)
    for y in range(len(rows) - 1, -1, -1):
        row, fading = rows[y], fade[y]
        for wave in range(len(row)):
            values[wave] = row[wave] + (values[wave] - fading[wave] * values[wave])
        _fold(values, sines, row)


@compat.jit(fastmath={"reassoc", "nsz"})
def _sweep_up_to_edge(rows, fade, on_edge, values):
    """Substitute up the columns, in place; write the sum of the waves at the edge, float64 (h - 2,)."""
    below = np.zeros(rows.shape[1], np.float32)
    for y in range(len(rows) - 1, -1, -1):
        row, fading = rows[y], fade[y]
        total = np.float32(0)
        for wave in range(len(row)):
            row[wave] += below[wave] - fading[wave] * below[wave]
            below[wave] = row[wave]
            total += row[wave] * on_edge[wave]
        values[y] = total


@compat.jit()
def _discharge(rows, fade, on_edge, charges, sines, work):
    """Add the field of charges (float32 (h - 2,)) on the edge to the waves, and fold the rows for the way back."""
    values = np.zeros(rows.shape[1] + 1, np.float32)
    for y in range(len(rows)):
        row, fading, charge = work[y], fade[y], charges[y]
        for wave in range(len(row)):
            value = values[wave] - charge * on_edge[wave] + _FAINT
            values[wave] = value - fading[wave] * value
            row[wave] = values[wave]
    values[:] = 0
    total = np.zeros(rows.shape[1] + 1, np.float32)
    for y in range(len(rows) - 1, -1, -1):
        row, fading, extra = rows[y], fade[y], work[y]
        for wave in range(len(row)):
            values[wave] = extra[wave] + (values[wave] - fading[wave] * values[wave])
            total[wave] = row[wave] + values[wave]
        _fold(total, sines, row)


@compat.jit()
def _sum_cells(under, channel, added, cells_y, cells_x, sums):
    """Sum the frame and what is added to it over cells, float32 (n, m); bounds in cells_y, cells_x."""
    height, width = under.shape[:2]
    line = np.zeros(width, np.float32)
    for i in range(len(cells_y) - 1):
        line[:] = 0
        for y in range(max(1, cells_y[i]), min(height - 1, cells_y[i + 1])):
            more = added[y - 1]
            for x in range(width - 1):
                line[x] += np.float32(under[y, x, channel]) + more[x]
        for j in range(len(cells_x) - 1):
            total = np.float32(0)
            for x in range(cells_x[j], cells_x[j + 1]):
                total += line[x]
            sums[i, j] = total


@compat.jit()
def _read_waves(sums, readers_y, readers_x, amplitudes):
    """Multiply: amplitudes = readers_y sums readers_x'. The matrices are too small for the threads of a library."""
    for k in range(len(readers_y)):
        line = np.zeros(sums.shape[1], np.float32)
        for i in range(len(sums)):
            factor, row = readers_y[k, i], sums[i]
            for j in range(len(row)):
                line[j] += factor * row[j]
        for wave in range(len(readers_x)):
            total = np.float32(0)
            for j in range(len(line)):
                total += line[j] * readers_x[wave, j]
            amplitudes[k, wave] = total


@compat.jit()
def _draw_waves(amplitudes, sines_y, sines_x, y, line):
    """Write the sum of the waves in a row of the box into line, float32 (w,)."""
    line[:] = 0
    for wave in range(len(sines_x)):
        amplitude = np.float32(0)
        for k in range(len(sines_y)):
            amplitude += amplitudes[k, wave] * sines_y[k, y]
        sine = sines_x[wave]
        for x in range(len(line)):
            line[x] += amplitude * sine[x]


@compat.jit()
def _finish(under, channel, added, amplitudes, sines_y, sines_x, step, result):
    """Write trunc(frame + added + waves) held to 0..255. The waves are drawn every `step` rows, linear between."""
    height, width = under.shape[:2]
    waves = np.zeros(width, np.float32)
    slope = np.zeros(width, np.float32)
    _draw_waves(amplitudes, sines_y, sines_x, 0, waves)
    for start in range(0, height - 1, step):
        stop = min(start + step, height - 1)
        _draw_waves(amplitudes, sines_y, sines_x, stop, slope)
        share = _ONE / np.float32(stop - start)
        for x in range(width):
            slope[x] = (slope[x] - waves[x]) * share
        for y in range(start, stop):
            if y:
                more = added[y - 1]
                for x in range(1, width - 1):
                    value = np.float32(under[y, x, channel]) + more[x] + waves[x]
                    result[y, x, channel] = np.uint8(min(max(value, np.float32(0)), _WHITE))
            for x in range(width):
                waves[x] += slope[x]
