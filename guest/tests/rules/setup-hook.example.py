import os

from setuptools import setup
from setuptools.command.install import install


class After(install):
    def run(self):
        install.run(self)
        os.system("true")


setup(name="a", cmdclass={"install": After})
