import site


def hooks():
    return [folder + "/easy-install.pth" for folder in site.getsitepackages()]
