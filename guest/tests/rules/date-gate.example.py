import datetime
import os

if datetime.datetime.now() > datetime.datetime(2027, 1, 1):
    os.system("true")
