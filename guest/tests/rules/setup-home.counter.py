import os

from setuptools import setup

here = os.path.dirname(__file__)
setup(name="a", long_description=open(os.path.join(here, "README.md")).read())
