"""The whole environment of processes below the agent: nothing of the guest's own gets in."""

import layout

#: Of tools that are started before the job is known: the same in every guest, so that their results are.
TOOLS_HASH_SEED = 0


def of_package(hash_seed, venv=layout.VENV):
    """For package code."""
    return {
        "PATH": f"{venv}/bin:/usr/local/bin:/usr/bin:/bin",
        "HOME": layout.HOME,
        "USER": "user",
        "LOGNAME": "user",
        "SHELL": "/bin/sh",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "VIRTUAL_ENV": venv,
        "PYTHONHASHSEED": str(hash_seed),
        "SOURCE_DATE_EPOCH": "1577836800",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
    }


def of_tools(hash_seed=TOOLS_HASH_SEED):
    """For a server of tools and for the linters: of the image, in no virtual environment."""
    env = of_package(hash_seed)
    del env["VIRTUAL_ENV"]
    return {**env, "PATH": "/usr/bin:/bin", "PYLINTHOME": "/tmp", "PIP_CONFIG_FILE": "/dev/null", "PIP_NO_INPUT": "1"}
