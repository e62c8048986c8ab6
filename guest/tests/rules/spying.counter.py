from PIL import ImageGrab


def screenshot(path):
    ImageGrab.grab().save(path)
