"""What pyproject.toml cannot say: the packages of the wheel, one of which is no folder of sources.

`ptmiss._files` is the root of the repository, of which the wheel takes the files that
pyproject.toml names and no module; ptmiss/core/resources.py finds them in both places.
"""

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

FILES = "ptmiss._files"


class BuildWithoutModulesOfTheRoot(build_py):
    """Leave out what Python finds in the folder of `FILES`: this file."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        """Return (package, module, file) of each module."""
        return [] if package == FILES else super().find_package_modules(package, package_dir)


setup(
    packages=[*find_packages("scripts"), FILES],
    cmdclass={"build_py": BuildWithoutModulesOfTheRoot},
)
