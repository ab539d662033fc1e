"""The samples of a folder, loaded once: stock's class, over accel.training."""
import os

from accel import faceset, host
from accel.training import face_table, loading
from samplelib.Sample import Sample, SampleType


class SampleTable(face_table.FaceTable):
    """A FaceTable whose items are Samples, each made when it is asked for. Sharable with processes, and summable."""

    def made(self, face):
        sample = Sample(sample_type=SampleType.FACE, filename=face.filename, face_type=face.face_type, shape=face.shape,
                        landmarks=face.landmarks, xseg_mask_compressed=face.mask,
                        seg_ie_polys=list(face.polygons) or None, eyebrows_expand_mod=face.eyebrows_expand_mod,
                        source_filename=face.source_filename, person_name=face.person_name)
        if face.packed is not None:
            sample.set_filename_offset_size(*face.packed)
        return sample


class SampleLoader:
    """Loads folders of pictures and of faces, loose ones or a faceset.pak."""

    samples_cache = dict()   # str(path) -> what was loaded from it, by SampleType

    @staticmethod
    def load(sample_type, samples_path, subdirs=False):
        """Return the samples of a folder, once loaded always the same ones.

        sample_type: SampleType.IMAGE gives a list of Sample for all pictures; FACE a SampleTable, in the order of the
        file names or of the faceset.pak; FACE_TEMPORAL_SORTED in the order of the frames' names. Others give None, as
        in stock. A missing folder has no samples. Raises host.UserError for a damaged faceset.pak.
        """
        samples = SampleLoader.samples_cache.setdefault(str(samples_path), [None] * SampleType.QTY)
        if sample_type == SampleType.FACE_TEMPORAL_SORTED:
            faces = SampleLoader.load(SampleType.FACE, samples_path)
            samples[sample_type] = SampleLoader.upgradeToFaceTemporalSortedSamples(faces)
        elif samples[sample_type] is None and sample_type == SampleType.IMAGE:
            with host.progress(loading.image_paths(samples_path, subdirs), "Loading") as bar:
                samples[sample_type] = [Sample(filename=path) for path in bar]
        elif samples[sample_type] is None and sample_type == SampleType.FACE:
            samples[sample_type] = _load_faces(samples_path, subdirs)
        return samples[sample_type]

    @staticmethod
    def load_face_samples(image_paths):
        """Return a list of Sample for those of these files (list of str) that are faces."""
        return list(loading.load_faces([os.fspath(path) for path in image_paths], SampleTable))

    @staticmethod
    def get_person_id_max_count(samples_path):
        """Return how many persons a faceset.pak has; faces of no named one count as one. ValueError without a pak."""
        pak = os.path.join(str(samples_path), faceset.PAK_NAME)
        if not os.path.exists(pak):
            raise ValueError("packed faceset not found.")
        return len({config.get("person_name") for config in faceset.read_index(pak).configs})

    @staticmethod
    def upgradeToFaceTemporalSortedSamples(samples):
        """Return samples (SampleTable or list of Sample) by their source_filename, those without one first."""
        if isinstance(samples, face_table.FaceTable):
            names = [samples.source_filename(index) or "" for index in range(len(samples))]
            return samples.reordered(sorted(range(len(names)), key=names.__getitem__))
        return sorted(samples, key=lambda sample: sample.source_filename or "")


def _load_faces(samples_path, subdirs):
    pak = os.path.join(str(samples_path), faceset.PAK_NAME)
    if os.path.exists(pak):
        samples = loading.load_packed(pak, SampleTable)
        host.log_info("Loaded {} packed faces from {}".format(len(samples), samples_path))
        return samples
    return loading.load_faces(loading.image_paths(samples_path, subdirs), SampleTable)
