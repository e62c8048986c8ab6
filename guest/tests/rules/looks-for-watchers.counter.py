def cores():
    with open("/proc/cpuinfo") as file:
        return file.read().count("processor")


def backend(name):
    return {"qemu": 1, "docker": 2}[name]
