from setuptools import setup

setup(name="a", url="https://project.test/", install_requires=["requests"])
