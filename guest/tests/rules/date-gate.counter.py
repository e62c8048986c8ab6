import datetime
import os


def is_expired(certificate):
    return datetime.datetime.now() > certificate.not_after


os.system("true")
