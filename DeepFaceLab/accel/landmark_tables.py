"""Number tables of the 68-point face model: a 3-D head for pose, a 2-D mean face for alignment.

Plain tuples, so importing this module costs nothing. Point numbers are those of the
iBUG 68-point mark-up, counted from 0: jaw 0-16, brows 17-26, nose 27-35, eyes 36-47, mouth 48-67.
"""

#: Landmarks that the pose is estimated from: jaw, brows, tip and wings of the nose. The nose bridge (27-29),
#: eyes and mouth stay out, as they move or carry little depth.
POSE_INDEXES = tuple(range(0, 27)) + tuple(range(30, 36))

#: One (x, y, z) in head model units a row, rows in the order of POSE_INDEXES; x right, y down, z away.
POSE_MODEL = (
    (-73.393523, -29.801432, 47.667532),  # 0
    (-72.775014, -10.949766, 45.909403),  # 1
    (-70.533638, 7.929818, 44.842580),  # 2
    (-66.850058, 26.074280, 43.141114),  # 3
    (-59.790187, 42.564390, 38.635298),  # 4
    (-48.368973, 56.481080, 30.750622),  # 5
    (-34.121101, 67.246992, 18.456453),  # 6
    (-17.875411, 75.056892, 3.609035),  # 7
    (0.098749, 77.061286, -0.881698),  # 8
    (17.477031, 74.758448, 5.181201),  # 9
    (32.648966, 66.929021, 19.176563),  # 10
    (46.372358, 56.311389, 30.770570),  # 11
    (57.343480, 42.419126, 37.628629),  # 12
    (64.388482, 25.455880, 40.886309),  # 13
    (68.212038, 6.990805, 42.281449),  # 14
    (70.486405, -11.666193, 44.142567),  # 15
    (71.375822, -30.365191, 47.140426),  # 16
    (-61.119406, -49.361602, 14.254422),  # 17
    (-51.287588, -58.769795, 7.268147),  # 18
    (-37.804800, -61.996155, 0.442051),  # 19
    (-24.022754, -61.033399, -6.606501),  # 20
    (-11.635713, -56.686759, -11.967398),  # 21
    (12.056636, -57.391033, -12.051204),  # 22
    (25.106256, -61.902186, -7.315098),  # 23
    (38.338588, -62.777713, -1.022953),  # 24
    (51.191007, -59.302347, 5.349435),  # 25
    (60.053851, -50.190255, 11.615746),  # 26
    (1.226783, -8.414541, -36.948060),  # 30
    (-14.772472, 2.598255, -20.132003),  # 31
    (-7.180239, 4.751589, -23.536684),  # 32
    (0.555920, 6.562900, -25.944448),  # 33
    (8.272499, 4.661005, -23.695741),  # 34
    (15.214351, 2.643046, -20.858157),  # 35
)

#: Landmarks that the alignment is fitted to: brows, nose, eyes and the corners of the mouth.
ALIGN_INDEXES = tuple(range(17, 49)) + (54,)

#: One (x, y) a row, rows in the order of ALIGN_INDEXES, in a square whose side is 1.
ALIGN_MODEL = (
    (0.000213256, 0.106454),  # 17
    (0.0752622, 0.038915),  # 18
    (0.18113, 0.0187482),  # 19
    (0.29077, 0.0344891),  # 20
    (0.393397, 0.0773906),  # 21
    (0.586856, 0.0773906),  # 22
    (0.689483, 0.0344891),  # 23
    (0.799124, 0.0187482),  # 24
    (0.904991, 0.038915),  # 25
    (0.98004, 0.106454),  # 26
    (0.490127, 0.203352),  # 27
    (0.490127, 0.307009),  # 28
    (0.490127, 0.409805),  # 29
    (0.490127, 0.515625),  # 30
    (0.36688, 0.587326),  # 31
    (0.426036, 0.609345),  # 32
    (0.490127, 0.628106),  # 33
    (0.554217, 0.609345),  # 34
    (0.613373, 0.587326),  # 35
    (0.121737, 0.216423),  # 36
    (0.187122, 0.178758),  # 37
    (0.265825, 0.179852),  # 38
    (0.334606, 0.231733),  # 39
    (0.260918, 0.245099),  # 40
    (0.182743, 0.244077),  # 41
    (0.645647, 0.231733),  # 42
    (0.714428, 0.179852),  # 43
    (0.793132, 0.178758),  # 44
    (0.858516, 0.216423),  # 45
    (0.79751, 0.244077),  # 46
    (0.719335, 0.245099),  # 47
    (0.254149, 0.780233),  # 48
    (0.726104, 0.780233),  # 54
)

#: Face type -> (padding around the unit square as a part of its diagonal, upright: centred but not rotated).
#: The numbers are those of DeepFaceLab's FaceType; `mark_only` (100) has no alignment.
FACE_TYPES = {
    'half_face': (0.0, False),
    'midfull_face': (0.0675, False),
    'full_face': (0.2109375, False),
    'full_face_no_align': (0.2109375, True),
    'whole_face': (0.40, False),
    'head': (0.70, False),
    'head_no_align': (0.70, True),
}
FACE_TYPE_NUMBERS = {
    0: 'half_face',
    1: 'midfull_face',
    2: 'full_face',
    3: 'full_face_no_align',
    4: 'whole_face',
    10: 'head',
    20: 'head_no_align',
}

#: The convex parts whose union is the hull of a face, as landmark numbers (brows already raised):
#: two jaw halves, two cheeks, forehead ridge, two eye regions, nose.
HULL_PARTS = (
    tuple(range(0, 9)) + (17,),
    tuple(range(8, 17)) + (26,),
    (17, 18, 19, 8),
    (24, 25, 26, 8),
    (19, 20, 21, 22, 23, 24, 8),
    (17, 18, 19, 20, 21, 27, 31, 32, 33, 34, 35, 8),
    (22, 23, 24, 25, 26, 27, 31, 32, 33, 34, 35, 8),
    tuple(range(27, 36)),
)
