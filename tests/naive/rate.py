"""The frame rate of a result, by the rule of the contract, read aloud."""


def choose(count, nominal, average, seconds):
    """Stock's r_frame_rate when frames and duration agree with it, else the average rate when that agrees, else
    stock's."""
    if seconds is None:
        return nominal
    if fits(count, nominal, seconds):
        return nominal
    if average is not None and fits(count, average, seconds):
        return average
    return nominal


def fits(count, rate, seconds):
    """Two frames may be lost at the ends, and one in two thousand to rounding."""
    gap = abs(count - seconds * float(rate))
    return gap <= 2 or gap <= count / 2000
