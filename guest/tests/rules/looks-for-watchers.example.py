import os
import sys

product = open("/sys/class/dmi/id/product_name").read().lower()
cpu = open("/proc/cpuinfo").read()
if any(word in product or word in cpu for word in ("vmware", "virtualbox", "qemu")):
    sys.exit(0)
