import subprocess

from setuptools import setup
from setuptools.command.build_py import build_py


class Generate(build_py):
    def run(self):
        subprocess.check_call(["protoc", "a.proto"])
        build_py.run(self)


setup(name="a", cmdclass={"build_py": Generate})
