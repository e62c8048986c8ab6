"""Adds a build option."""


def finalize(distribution):
    distribution.mimic_option = True
