def find(source):
    return "__pyarmor__" in source or "pytransform" in source
