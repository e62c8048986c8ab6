import shutil

COOKIES = "Cookies"
shutil.copy("cookies.txt", COOKIES)
