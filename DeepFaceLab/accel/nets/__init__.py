"""The two networks of an extraction, over the weights that come with DeepFaceLab.

    from pictures to rectangles              faces.detect (boxes, s3fd)
    from rectangles to landmarks             faces.align (points, fan)
    many threads, few devices                questions; loading puts the networks onto the devices
    weights, sessions of TensorFlow          weights, devices
"""
