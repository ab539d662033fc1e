"""Faces sorted by their frames, and how the face moves there: as stock, for all frames at once."""
import glob
import json
import math
import os

import cv2
import numpy as np
import pytest
from naive import alignments as naive_alignments

from accel import dfl_jpeg, faceset, host, landmarks
from accel.merge import alignments

TESTS = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(TESTS, 'data', 'sort', 'aligned')
with open(os.path.join(TESTS, 'data', 'face_model.json')) as model:
    MEAN_FACE = np.array(json.load(model)['mean_face_2d'])


def moving_face(count, seed=5):
    """Landmarks of a face that turns, grows and wanders, (68, 2) each; None in two frames; two without motion.

    What merge_motion_stock.json holds stock's answers for.
    """
    random = np.random.RandomState(seed)
    faces = []
    for number in range(count):
        points = random.rand(68, 2)
        points[list(range(17, 49)) + [54]] = MEAN_FACE + random.normal(0, 0.02, (33, 2))
        turn = number * 0.3
        matrix = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
        points = np.round(points @ matrix * (40 + 9 * number) + [900 * math.sin(number), 20 * number], 3)
        if number in (12, 13):
            points = faces[11]
        faces.append(None if number in (6, 20) else points)
    return faces


def face(name='a_0.jpg', source='a.png', points=None, **metadata):
    points = moving_face(1)[0] if points is None else points
    metadata = dict({'source_filename': source, 'source_landmarks': points}, **metadata)
    return faceset.Face(name, '/x/' + name, metadata, None)


@pytest.fixture
def said(monkeypatch):
    """The lines that the user is shown."""
    lines = []
    monkeypatch.setattr(host, 'log_info', lambda message, end='\n': lines.append(message))
    monkeypatch.setattr(host, 'log_err', lambda message, end='\n': lines.append('error: ' + message))
    return lines


def facts_of(faces):
    """Facts of frames that have these faces (or None), one each."""
    frames = ['/f/{:03d}.png'.format(number) for number in range(len(faces))]
    listed = [face(source='{:03d}.png'.format(number), points=points) for number, points in enumerate(faces)
              if points is not None]
    return alignments.frame_facts(frames, alignments.collect(listed))


# --- motion ----------------------------------------------------------------------------------

def test_motion_is_that_of_stock():
    with open(os.path.join(TESTS, 'data', 'merge_motion_stock.json')) as file:
        known = json.load(file)
    faces = moving_face(24)
    for (degrees, power), facts, points in zip(known, facts_of(faces), faces):
        assert facts.motion_power == pytest.approx(power, rel=1e-12)
        assert facts.motion_deg == pytest.approx(degrees, abs=1e-9)
        assert type(facts.motion_power) is type(facts.motion_deg) is float
        assert len(facts.landmarks_list) == (points is not None)
        if points is not None:
            assert np.array_equal(facts.landmarks_list[0], points) and facts.landmarks_list[0].dtype == np.float64


def test_motion_is_that_of_the_oracle():
    faces = moving_face(60, seed=8)
    known = naive_alignments.motions([None if points is None else points.tolist() for points in faces])
    for (degrees, power), facts in zip(known, facts_of(faces)):
        assert facts.motion_power == pytest.approx(power, abs=1e-4)
        assert facts.motion_deg == pytest.approx(degrees, abs=1e-4)


@pytest.mark.parametrize('dtype', [np.float64, np.float32, np.int64])
def test_centres_are_those_by_the_matrix_of_each_face(dtype):
    faces = [points.astype(dtype) for points in moving_face(80, seed=9) if points is not None]
    faces += [points * np.array([-1, 1], dtype) for points in faces[::9]]  # mirrored
    corner = np.array([[[127, 127]]], np.int32)
    matrices = [landmarks.alignment_matrix(points, 256, 'full_face') for points in faces]
    known = [cv2.transform(corner, cv2.invertAffineTransform(matrix))[0, 0] for matrix in matrices]
    assert np.array_equal(alignments.face_centres(faces), known)


def test_first_and_last_frame():
    first, second, third = moving_face(3)
    centres = alignments.face_centres([first, second, third])
    facts = facts_of([first, second, third])
    for fact, begin, end in zip(facts, (0, 0, 1), (1, 2, 2)):
        assert fact.motion_power == pytest.approx(math.hypot(*(centres[end] - centres[begin])))
    alone, = facts_of([first])
    assert (alone.motion_deg, alone.motion_power) == (0, 0)


def test_a_frame_beside_one_without_a_face_has_no_motion():
    faces = moving_face(6)
    for gap in range(6):
        facts = facts_of([None if number == gap else points for number, points in enumerate(faces)])
        still = [number for number, fact in enumerate(facts) if fact.motion_power == 0]
        assert still == [number for number in (gap - 1, gap, gap + 1) if 0 <= number < 6]
        assert [len(fact.landmarks_list) for fact in facts] == [int(number != gap) for number in range(6)]


def test_no_frames_and_no_faces():
    assert alignments.frame_facts([], alignments.collect([face()])) == []
    assert facts_of([None, None]) == [alignments.Facts([], 0, 0)] * 2


def test_direction():
    points = moving_face(1)[0]
    for shift, degrees in (((10, 0), 0), ((0, 10), -90), ((0, -10), 90), ((-10, 0), 180), ((10, -10), 45)):
        facts = facts_of([points, points + shift])
        assert abs(facts[0].motion_deg) == pytest.approx(abs(degrees)) and facts[0].motion_power > 9
        assert facts[0].motion_deg == pytest.approx(degrees) or abs(degrees) == 180


# --- faces and their frames --------------------------------------------------------------------

def test_faces_of_golden_files(said):
    paths = sorted(glob.glob(os.path.join(GOLDEN, '*.jpg')))
    known = naive_alignments.faces_by_frame(paths)
    found = alignments.collect(faceset.faces(GOLDEN))
    assert list(found.of_frame) == list(known)
    for stem, faces in known.items():
        assert [points.tolist() for points in found.of_frame[stem]] == faces
    assert found.left_out == 2 and sum(line.endswith('is not a dfl image file') for line in said) == 2


def test_messages_when_frames_have_several_faces(said):
    first, second = moving_face(2)
    listed = [face('a_0.jpg', 'a.png', first), face('b_0.jpg', 'b.png', first), face('a_1.jpg', 'a.jpg', second),
              faceset.Face('c.png', '/x/c.png', None, 'c.png is not a dfl image file'), face('z_0.jpg', 'z.png', first)]
    found = alignments.collect(listed)
    facts = alignments.frame_facts(['/f/a.png', '/f/b.png', '/f/c.png'], found)
    assert said == [
        'error: c.png is not a dfl image file', '',
        'Warning: multiple faces detected. Only one alignment file should refer one source file.', '',
        'alignment a_0.jpg refers to a.png ', 'alignment a_1.jpg refers to a.jpg ', '',
        'It is strongly recommended to process the faces separatelly.',
        "Use 'recover original filename' to determine the exact duplicates.", '',
        'Warning: multiple faces detected. Motion blur will not be used.', '']
    assert found.has_several and found.left_out == 1
    assert [[points.tolist() for points in fact.landmarks_list] for fact in facts] == [
        [first.tolist(), second.tolist()], [first.tolist()], []]
    assert {(fact.motion_deg, fact.motion_power) for fact in facts} == {(0, 0)}


def test_nothing_is_said_of_faces_in_order(said):
    facts_of(moving_face(4))
    assert said == []


def test_several_faces_of_a_frame_that_is_not_there_count_too(said):
    found = alignments.collect([face(source='none.png'), face(source='none.png')])
    assert found.has_several
    assert alignments.frame_facts(['/f/a.png'], found) == [alignments.Facts([], 0, 0)]


@pytest.mark.parametrize('source, frame', [
    ('00001.png', '00001.jpg'), ('кадр 1.png', 'кадр 1.png'), ('folder/a.png', 'a.png'), ('folder\\a.png', 'a.png'),
    ('a.b.png', 'a.b.png'), ('.png', '.png'), ('a', 'a.png'), ('100%d.png', '100%d.png')])
def test_frames_are_found_by_their_stem(source, frame, said):
    facts, = alignments.frame_facts(['/f/' + frame], alignments.collect([face(source=source)]))
    assert len(facts.landmarks_list) == 1 and said == []


@pytest.mark.parametrize('source', [None, '', '..', '../a.png', '/f/a.png', 'C:\\a.png', 7, b'a.png', ['a.png']])
def test_a_face_without_a_usable_source_name_is_left_out(source, said):
    found = alignments.collect([face('x_0.jpg', source), face('y_0.jpg')])
    assert found.left_out == 1 and list(found.of_frame) == ['a']
    assert len(said) == 1 and said[0].startswith('error: x_0.jpg does not say which frame')


NAN = moving_face(1)[0].copy()
NAN[40, 1] = np.nan
FAR = moving_face(1)[0].copy()
FAR[3, 0] = 1e7


@pytest.mark.parametrize('points', [
    None, [], 'text', {}, 5, [[1.0, 2.0]] * 67, [[1.0, 2.0, 3.0]] * 68, [[1.0, 2.0]] * 67 + [[1.0]], [['a', 'b']] * 68,
    [[None, None]] * 68, [[1, 10 ** 400]] * 68, np.zeros((68, 3)), np.zeros(136), np.zeros((68, 2), bool),
    NAN, NAN.tolist(), FAR, np.full((68, 2), np.inf), np.ones((68, 2)), [[7.5, 7.5]] * 68])
def test_a_face_without_landmarks_in_its_frame_is_left_out(points, said):
    bad = faceset.Face('x_0.jpg', '/x/x_0.jpg', {'source_filename': 'a.png', 'source_landmarks': points}, None)
    found = alignments.collect([bad, face('y_0.jpg')])
    assert found.left_out == 1 and len(found.of_frame['a']) == 1 and not found.has_several
    assert len(said) == 1 and 'x_0.jpg' in said[0] and 'landmarks' in said[0]


def test_landmarks_keep_what_is_stored():
    points = moving_face(1)[0]
    for stored, dtype in ((points.tolist(), np.float64), (points.astype(int).tolist(), np.float64),
                          (points.astype(np.float32), np.float32), (points.astype(np.int32), np.int32),
                          ([tuple(point) for point in points.tolist()], np.float64)):
        read, = alignments.collect([face(points=stored)]).of_frame['a']
        assert read.dtype == dtype and np.array_equal(read, np.array(stored))


def test_a_folder_from_end_to_end(tmp_path, said, capfd):
    faces = moving_face(5)
    for number, points in enumerate(faces):
        with open(os.path.join(GOLDEN, '00000_0.jpg'), 'rb') as file:
            raw = file.read()
        metadata = {'source_filename': '{}.png'.format(number), 'source_landmarks': points.tolist()}
        (tmp_path / '{}_0.jpg'.format(number)).write_bytes(dfl_jpeg.replace_metadata(raw, metadata))
    frames = [str(tmp_path / '{}.png'.format(number)) for number in range(5)]
    facts, found = alignments.prepare(frames, tmp_path)
    assert found.left_out == 0 and said == []
    assert 'Collecting alignments' in capfd.readouterr().err
    for ours, known in zip(facts, facts_of(faces)):
        assert ours.motion_power == known.motion_power and ours.motion_deg == known.motion_deg
        assert np.array_equal(ours.landmarks_list, known.landmarks_list)
