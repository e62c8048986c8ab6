def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1])
