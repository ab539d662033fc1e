"""The edges of a face's mask, worked on in the whole padded square."""
import cv2
import numpy as np


def shape_edges(mask, input_size, erode, blur):
    """Pad by the input side, erode or dilate by an ellipse, clear the border, blur, cut the padding off."""
    work = np.zeros(tuple(side + 2 * input_size for side in mask.shape), np.float32)
    work[input_size:-input_size, input_size:-input_size] = mask
    if erode != 0:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (abs(erode), abs(erode)))
        work = cv2.erode(work, kernel) if erode > 0 else cv2.dilate(work, kernel)
    border = input_size + blur // 2
    for y in range(work.shape[0]):
        for x in range(work.shape[1]):
            if min(x, y) < border or max(x, y) >= work.shape[0] - border:
                work[y, x] = 0
    if blur > 0:
        side = blur if blur % 2 else blur + 1
        work = cv2.GaussianBlur(work, (side, side), 0)
    return np.clip(work[input_size:-input_size, input_size:-input_size], 0, 1)
