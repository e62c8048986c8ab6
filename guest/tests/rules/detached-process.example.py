import subprocess

subprocess.Popen(["sleep", "9"], stdout=subprocess.DEVNULL, start_new_session=True)
