"""Small wheels of our own making under the names of real packages, for a real pip without a network."""
import os
import zipfile


def make_wheel(folder, name, version, text=None, requires=(), module=None):
    """Write a pure wheel that installs one module. Return its path.

    text: the module's source (a module that has only `__version__` when left out); requires: list of str; module:
    its name, when it is not that of the package.
    """
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "{}-{}-py3-none-any.whl".format(name, version))
    info = "{}-{}.dist-info/".format(name, version)
    metadata = "Metadata-Version: 2.1\nName: {}\nVersion: {}\n".format(name, version)
    metadata += "".join("Requires-Dist: {}\n".format(requirement) for requirement in requires)
    module = module or ("cv2" if name == "opencv_python" else name)
    contents = {
        module + ".py": '__version__ = "{}"\n'.format(version) if text is None else text,
        info + "METADATA": metadata,
        info + "WHEEL": "Wheel-Version: 1.0\nGenerator: made-up\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    record = "".join("{},,\n".format(member) for member in list(contents) + [info + "RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in contents.items():
            archive.writestr(member, content)
        archive.writestr(info + "RECORD", record)
    return path
